package kueue

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// What Kueue calls its things, in both versions.
const (
	// WorkloadAnnotation names a pod's Workload; QueueLabel a Job's LocalQueue.
	WorkloadAnnotation = "kueue.x-k8s.io/workload"
	QueueLabel         = "kueue.x-k8s.io/queue-name"
	// JobLabel is on a Workload: the UID of its Job.
	JobLabel = "kueue.x-k8s.io/job-uid"

	// Conditions of a Workload, and reasons.
	QuotaReserved = "QuotaReserved"
	Evicted       = "Evicted"
	Finished      = "Finished"
	ReasonFailed  = "Failed"
	ReasonStopped = "ClusterQueueStopped"

	// Active is a ClusterQueue's condition, QueueStopped why it is not.
	Active       = "Active"
	QueueStopped = "Stopped"
)

// The objects hold what is read here of Kueue's, and no more. All of it is written alike in both
// versions; what they write differently (a ClusterQueue's cohort, a Workload's priority class and
// topology, a LocalQueue's usage) is not read, and a merge patch leaves it as it stands.
type (
	// ClusterQueue is a queue with a quota.
	ClusterQueue struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata,omitempty"`

		Spec struct {
			StopPolicy     string `json:"stopPolicy,omitempty"`
			ResourceGroups []struct {
				Flavors []struct {
					Resources []Quota `json:"resources,omitempty"`
				} `json:"flavors,omitempty"`
			} `json:"resourceGroups,omitempty"`
		} `json:"spec"`
		Status struct {
			Conditions   []metav1.Condition `json:"conditions,omitempty"`
			FlavorsUsage []struct {
				Resources []Used `json:"resources,omitempty"`
			} `json:"flavorsUsage,omitempty"`
		} `json:"status"`
	}
	// Quota is what a queue has of a resource.
	Quota struct {
		Name         corev1.ResourceName `json:"name"`
		NominalQuota resource.Quantity   `json:"nominalQuota"`
	}
	// Used is what a queue's jobs use of a resource, and what of it is borrowed.
	Used struct {
		Name     corev1.ResourceName `json:"name"`
		Total    resource.Quantity   `json:"total"`
		Borrowed resource.Quantity   `json:"borrowed"`
	}
	// LocalQueue is a namespace's way to a ClusterQueue.
	LocalQueue struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata,omitempty"`

		Spec struct {
			ClusterQueue string `json:"clusterQueue,omitempty"`
		} `json:"spec"`
	}
	// Workload is what Kueue admits.
	Workload struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata,omitempty"`

		Spec struct {
			Active    *bool    `json:"active,omitempty"`
			QueueName string   `json:"queueName,omitempty"`
			PodSets   []PodSet `json:"podSets,omitempty"`
		} `json:"spec"`
		Status struct {
			Conditions []metav1.Condition `json:"conditions,omitempty"`
			Admission  *struct {
				ClusterQueue string `json:"clusterQueue"`
			} `json:"admission,omitempty"`
			SchedulingStats *struct {
				Evictions []struct {
					Count int32 `json:"count"`
				} `json:"evictions,omitempty"`
			} `json:"schedulingStats,omitempty"`
		} `json:"status"`
	}
	// PodSet is a number of like pods.
	PodSet struct {
		Count    int32                  `json:"count"`
		Template corev1.PodTemplateSpec `json:"template"`
	}

	// ClusterQueueList is an answer of many.
	ClusterQueueList struct {
		metav1.TypeMeta `json:",inline"`
		metav1.ListMeta `json:"metadata,omitempty"`

		Items []ClusterQueue `json:"items"`
	}
	// LocalQueueList is an answer of many.
	LocalQueueList struct {
		metav1.TypeMeta `json:",inline"`
		metav1.ListMeta `json:"metadata,omitempty"`

		Items []LocalQueue `json:"items"`
	}
	// WorkloadList is an answer of many.
	WorkloadList struct {
		metav1.TypeMeta `json:",inline"`
		metav1.ListMeta `json:"metadata,omitempty"`

		Items []Workload `json:"items"`
	}
)

// DeepCopyObject copies the object.
func (o *ClusterQueue) DeepCopyObject() runtime.Object { return copied(o) }

// DeepCopyObject copies the object.
func (o *LocalQueue) DeepCopyObject() runtime.Object { return copied(o) }

// DeepCopyObject copies the object.
func (o *Workload) DeepCopyObject() runtime.Object { return copied(o) }

// DeepCopyObject copies the list.
func (o *ClusterQueueList) DeepCopyObject() runtime.Object { return copied(o) }

// DeepCopyObject copies the list.
func (o *LocalQueueList) DeepCopyObject() runtime.Object { return copied(o) }

// DeepCopyObject copies the list.
func (o *WorkloadList) DeepCopyObject() runtime.Object { return copied(o) }

// copied copies what came as JSON by way of JSON: nothing here copies often.
func copied[T any](o *T) *T {
	out := new(T)
	b, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil { // it was read from JSON, or is plain data
		*out = *o
	}
	return out
}
