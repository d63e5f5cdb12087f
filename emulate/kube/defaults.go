package kube

import (
	"regexp"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta1"
)

var nameForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)

// check finds what the API's validation would refuse, as far as clients run into it.
func check(r *Resource, o Object) error {
	var all field.ErrorList
	if o.GetName() == "" {
		all = append(all, field.Required(field.NewPath("metadata", "name"), "name or generateName is required"))
	} else if !nameForm.MatchString(o.GetName()) {
		all = append(all, field.Invalid(field.NewPath("metadata", "name"), o.GetName(), "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"))
	}
	switch o := o.(type) {
	case *batchv1.Job:
		spec := field.NewPath("spec")
		if o.Spec.Parallelism != nil && *o.Spec.Parallelism < 0 {
			all = append(all, field.Invalid(spec.Child("parallelism"), *o.Spec.Parallelism, "must be greater than or equal to 0"))
		}
		if len(o.Spec.Template.Spec.Containers) == 0 {
			all = append(all, field.Required(spec.Child("template", "spec", "containers"), ""))
		}
	case *corev1.Pod:
		if len(o.Spec.Containers) == 0 {
			all = append(all, field.Required(field.NewPath("spec", "containers"), ""))
		}
	case *kueue.ClusterQueue:
		all = append(all, checkStop(o.Spec.StopPolicy)...)
	case *kueue.LocalQueue:
		all = append(all, checkStop(o.Spec.StopPolicy)...)
	}
	if len(all) > 0 {
		return apierrors.NewInvalid(r.kind().GroupKind(), o.GetName(), all)
	}
	return nil
}

func checkStop(p *kueue.StopPolicy) field.ErrorList {
	if p == nil || *p == kueue.None || *p == kueue.Hold || *p == kueue.HoldAndDrain {
		return nil
	}
	return field.ErrorList{field.NotSupported(field.NewPath("spec", "stopPolicy"), *p, []kueue.StopPolicy{kueue.None, kueue.Hold, kueue.HoldAndDrain})}
}

func ref[T any](v T) *T { return &v }

func orElse[T any](p **T, v T) {
	if *p == nil {
		*p = &v
	}
}

// setDefaults fills in what the API fills in.
func setDefaults(o Object) {
	switch o := o.(type) {
	case *corev1.Namespace:
		o.Status.Phase = corev1.NamespaceActive
	case *corev1.Pod:
		setPodDefaults(o)
	case *batchv1.Job:
		setJobDefaults(o)
	case *kueue.ClusterQueue:
		orElse(&o.Spec.StopPolicy, kueue.None)
		if o.Spec.QueueingStrategy == "" {
			o.Spec.QueueingStrategy = kueue.BestEffortFIFO
		}
		orElse(&o.Spec.Preemption, kueue.ClusterQueuePreemption{})
		if o.Spec.Preemption.ReclaimWithinCohort == "" {
			o.Spec.Preemption.ReclaimWithinCohort = kueue.PreemptionPolicyNever
		}
		if o.Spec.Preemption.WithinClusterQueue == "" {
			o.Spec.Preemption.WithinClusterQueue = kueue.PreemptionPolicyNever
		}
	case *kueue.LocalQueue:
		orElse(&o.Spec.StopPolicy, kueue.None)
	case *kueue.Workload:
		orElse(&o.Spec.Active, true)
	}
}

func setPodDefaults(p *corev1.Pod) {
	p.Status.Phase = corev1.PodPending
	orElse(&p.Spec.TerminationGracePeriodSeconds, 30)
	if p.Spec.RestartPolicy == "" {
		p.Spec.RestartPolicy = corev1.RestartPolicyAlways
	}
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		has := false
		for _, t := range p.Spec.Tolerations {
			has = has || t.Key == key && (t.Effect == "" || t.Effect == corev1.TaintEffectNoExecute)
		}
		if !has {
			p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{
				Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: ref(int64(300)),
			})
		}
	}
}

func setJobDefaults(j *batchv1.Job) {
	s := &j.Spec
	if s.Completions == nil && s.Parallelism == nil {
		s.Completions = ref(int32(1))
	}
	orElse(&s.Parallelism, 1)
	orElse(&s.BackoffLimit, 6)
	orElse(&s.Suspend, false)
	orElse(&s.CompletionMode, batchv1.NonIndexedCompletion)
	orElse(&s.PodReplacementPolicy, batchv1.TerminatingOrFailed)
	id := string(j.UID)
	if s.Selector == nil {
		s.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{batchv1.ControllerUidLabel: id}}
	}
	if s.Template.Labels == nil {
		s.Template.Labels = map[string]string{}
	}
	for k, v := range map[string]string{batchv1.ControllerUidLabel: id, "controller-uid": id, batchv1.JobNameLabel: j.Name, "job-name": j.Name} {
		s.Template.Labels[k] = v
	}
	if s.Template.Spec.RestartPolicy == "" {
		s.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	}
}

// graceOf returns the seconds that an object stays after its deletion.
func graceOf(o Object, opts *metav1.DeleteOptions) int64 {
	p, ok := o.(*corev1.Pod)
	if !ok || p.Spec.NodeName == "" || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return 0
	}
	if opts.GracePeriodSeconds != nil {
		return max(*opts.GracePeriodSeconds, 0)
	}
	if p.Spec.TerminationGracePeriodSeconds != nil {
		return *p.Spec.TerminationGracePeriodSeconds
	}
	return 30
}
