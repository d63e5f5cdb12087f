package kube

import (
	"reflect"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta1"
)

// Object is what the server keeps: a typed object of the API.
type Object interface {
	runtime.Object
	metav1.Object
}

// Resource is one kind of object.
type Resource struct {
	Group, Version, Name, Kind, Singular string
	Namespaced                           bool
	status                               bool // has a status of its own
	native                               bool // no custom resource: takes strategic merge patches
	most                                 int  // objects kept, the oldest go; 0: all
	make                                 func() Object
}

// The resources.
type Resources struct {
	Namespaces, Nodes, Pods, Events, Jobs                *Resource
	Workloads, ClusterQueues, LocalQueues, Flavors       *Resource
	Cohorts, PriorityClasses, AdmissionChecks, Configmap *Resource
}

func newResources() Resources {
	const q, beta = "kueue.x-k8s.io", "v1beta1"
	return Resources{
		Namespaces:    &Resource{"", "v1", "namespaces", "Namespace", "namespace", false, true, true, 0, func() Object { return new(corev1.Namespace) }},
		Nodes:         &Resource{"", "v1", "nodes", "Node", "node", false, true, true, 0, func() Object { return new(corev1.Node) }},
		Pods:          &Resource{"", "v1", "pods", "Pod", "pod", true, true, true, 0, func() Object { return new(corev1.Pod) }},
		Events:        &Resource{"", "v1", "events", "Event", "event", true, false, true, 2000, func() Object { return new(corev1.Event) }},
		Jobs:          &Resource{"batch", "v1", "jobs", "Job", "job", true, true, true, 0, func() Object { return new(batchv1.Job) }},
		Workloads:     &Resource{q, beta, "workloads", "Workload", "workload", true, true, false, 0, func() Object { return new(kueue.Workload) }},
		ClusterQueues: &Resource{q, beta, "clusterqueues", "ClusterQueue", "clusterqueue", false, true, false, 0, func() Object { return new(kueue.ClusterQueue) }},
		LocalQueues:   &Resource{q, beta, "localqueues", "LocalQueue", "localqueue", true, true, false, 0, func() Object { return new(kueue.LocalQueue) }},
		Flavors:       &Resource{q, beta, "resourceflavors", "ResourceFlavor", "resourceflavor", false, false, false, 0, func() Object { return new(kueue.ResourceFlavor) }},
		Cohorts:       &Resource{q, beta, "cohorts", "Cohort", "cohort", false, true, false, 0, func() Object { return new(kueue.Cohort) }},
		PriorityClasses: &Resource{
			q, beta, "workloadpriorityclasses", "WorkloadPriorityClass", "workloadpriorityclass", false, false, false, 0,
			func() Object { return new(kueue.WorkloadPriorityClass) },
		},
		AdmissionChecks: &Resource{q, beta, "admissionchecks", "AdmissionCheck", "admissioncheck", false, true, false, 0, func() Object { return new(kueue.AdmissionCheck) }},
		Configmap:       &Resource{"", "v1", "configmaps", "ConfigMap", "configmap", true, false, true, 0, func() Object { return new(corev1.ConfigMap) }},
	}
}

func (r Resources) all() []*Resource {
	return []*Resource{
		r.Namespaces, r.Nodes, r.Pods, r.Events, r.Configmap, r.Jobs, r.Workloads, r.ClusterQueues, r.LocalQueues, r.Flavors,
		r.Cohorts, r.PriorityClasses, r.AdmissionChecks,
	}
}

// groupVersion is the resource's "apiVersion".
func (r *Resource) groupVersion() string {
	if r.Group == "" {
		return r.Version
	}
	return r.Group + "/" + r.Version
}

func (r *Resource) kind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
}

func (r *Resource) resource() schema.GroupResource {
	return schema.GroupResource{Group: r.Group, Resource: r.Name}
}

// part returns a field of an object, Spec or Status, that may be set.
func part(o Object, name string) reflect.Value { return reflect.ValueOf(o).Elem().FieldByName(name) }

// fieldsOf returns what a field selector may ask an object for.
func fieldsOf(o Object) map[string]string {
	f := map[string]string{"metadata.name": o.GetName(), "metadata.namespace": o.GetNamespace()}
	switch o := o.(type) {
	case *corev1.Pod:
		f["spec.nodeName"], f["status.phase"] = o.Spec.NodeName, string(o.Status.Phase)
	case *corev1.Node:
		f["spec.unschedulable"] = "false"
		if o.Spec.Unschedulable {
			f["spec.unschedulable"] = "true"
		}
	case *corev1.Namespace:
		f["status.phase"] = string(o.Status.Phase)
	case *corev1.Event:
		f["involvedObject.name"], f["involvedObject.kind"] = o.InvolvedObject.Name, o.InvolvedObject.Kind
		f["reason"], f["type"] = o.Reason, o.Type
	}
	return f
}
