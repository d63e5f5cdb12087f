// Package kueue owns how Kueue is spoken with: which version of its interface an API server
// serves, and of its objects what is read here, in the form of either version.
//
// It never decides anything about a queue or a job, and never takes a Kueue that it does not
// understand for none.
//
// Concurrency: a Client is safe for concurrent use. Its calls block on the API server; Spoken
// never does.
package kueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/gentype"
	"k8s.io/client-go/rest"

	"switchyard/compute"
)

// Group is Kueue's name among the API server's groups.
const Group = "kueue.x-k8s.io"

// maxGroup bounds the answer about the group, in bytes.
const maxGroup = 1 << 20

// Versions are those that are known here, the best known first: Kueue 0.15 to 0.19 serve both,
// those before v1beta1 and those since v1beta2 alone.
func Versions() []string { return []string{"v1beta2", "v1beta1"} }

// VersionsError says that a Kueue is there of which no version is known here. It is a
// compute.ErrUnsupported.
type VersionsError struct{ Served []string }

// Error tells what it answers with, and what would do.
func (e *VersionsError) Error() string {
	known := slices.Sorted(slices.Values(Versions()))
	return fmt.Sprintf("Kueue answers with versions %s; this program knows %s", strings.Join(e.Served, ", "), strings.Join(known, " and "))
}

// Unwrap makes it a compute.ErrUnsupported.
func (e *VersionsError) Unwrap() error { return compute.ErrUnsupported }

// Client speaks with Kueue, in the version that the server was found to serve.
type Client struct {
	ask     rest.Interface
	by      map[string]rest.Interface // by version
	codec   runtime.ParameterCodec
	timeout time.Duration

	asking sync.Mutex // held while the server is asked for its versions

	mu      sync.Mutex
	version string // spoken; empty: to be asked for
	err     error  // why none is, as of the last question
}

// New makes a client that has not asked anything yet. timeout is of the question for the versions.
func New(c *rest.Config, timeout time.Duration) (*Client, error) {
	scheme := runtime.NewScheme()
	for _, v := range Versions() {
		gv := schema.GroupVersion{Group: Group, Version: v}
		scheme.AddKnownTypes(gv, &ClusterQueue{}, &ClusterQueueList{}, &LocalQueue{}, &LocalQueueList{}, &Workload{}, &WorkloadList{})
		metav1.AddToGroupVersion(scheme, gv)
	}
	out := &Client{by: map[string]rest.Interface{}, codec: runtime.NewParameterCodec(scheme), timeout: timeout}
	for _, v := range Versions() {
		rc := rest.CopyConfig(c)
		rc.GroupVersion, rc.APIPath = &schema.GroupVersion{Group: Group, Version: v}, "/apis"
		rc.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
		rc.WarningHandler = rest.NoWarnings{} // that a version goes out of use is seen to
		one, err := rest.RESTClientFor(rc)
		if err != nil {
			return nil, fmt.Errorf("speak with Kueue: %w", err)
		}
		out.by[v], out.ask = one, one
	}
	return out, nil
}

// Spoken returns the version in use, or why there is none: not asked yet, no Kueue (a not-found
// error of the API), a VersionsError, or no answer. It never blocks.
func (c *Client) Spoken() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version == "" && c.err == nil {
		return "", errors.New("no version of Kueue was asked for yet")
	}
	return c.version, c.err
}

// speak returns the version to use; the server is asked once, and again after it was forgotten.
func (c *Client) speak(ctx context.Context) (string, error) {
	if v, err := c.Spoken(); err == nil {
		return v, nil
	}
	c.asking.Lock()
	defer c.asking.Unlock()
	if v, err := c.Spoken(); err == nil { // somebody else asked
		return v, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	v, err := c.choose(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("ask for Kueue's versions: no answer within %s: %w", c.timeout, context.DeadlineExceeded)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version, c.err = v, err
	return v, err
}

// choose asks the server which versions it serves.
func (c *Client) choose(ctx context.Context) (string, error) {
	b, err := c.ask.Get().AbsPath("/apis/"+Group).SetHeader("Accept", "application/json").DoRaw(ctx)
	if err != nil {
		return "", fmt.Errorf("ask for Kueue's versions: %w", err)
	}
	var g metav1.APIGroup
	if len(b) > maxGroup {
		return "", fmt.Errorf("ask for Kueue's versions: %d bytes are too many", len(b))
	}
	if err := json.Unmarshal(b, &g); err != nil {
		return "", fmt.Errorf("ask for Kueue's versions: %w", err)
	}
	var served []string
	for _, v := range g.Versions {
		served = append(served, v.Version[:min(len(v.Version), 64)])
	}
	for _, v := range Versions() {
		if slices.Contains(served, v) {
			return v, nil
		}
	}
	if len(served) == 0 {
		return "", apierrors.NewNotFound(schema.GroupResource{Group: Group}, "")
	}
	return "", &VersionsError{Served: served[:min(len(served), 10)]}
}

// forget makes the next call ask anew: the version v is not served any more.
func (c *Client) forget(v string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version == v {
		c.version, c.err = "", nil
	}
}

type object interface {
	runtime.Object
	metav1.Object
}

// Objects are the objects of one kind and namespace, in whichever version is served.
type Objects[T object, L runtime.Object] struct {
	c    *Client
	name string
	by   map[string]*gentype.ClientWithList[T, L]
}

func objects[T object, L runtime.Object](c *Client, resource, ns string, one func() T, many func() L) Objects[T, L] {
	out := Objects[T, L]{c: c, name: resource, by: map[string]*gentype.ClientWithList[T, L]{}}
	for v, r := range c.by {
		out.by[v] = gentype.NewClientWithList(resource, r, c.codec, ns, one, many)
	}
	return out
}

// ClusterQueues are all of them.
func (c *Client) ClusterQueues() Objects[*ClusterQueue, *ClusterQueueList] {
	return objects(c, "clusterqueues", "", func() *ClusterQueue { return new(ClusterQueue) }, func() *ClusterQueueList { return new(ClusterQueueList) })
}

// LocalQueues are those of a namespace; empty: of all.
func (c *Client) LocalQueues(ns string) Objects[*LocalQueue, *LocalQueueList] {
	return objects(c, "localqueues", ns, func() *LocalQueue { return new(LocalQueue) }, func() *LocalQueueList { return new(LocalQueueList) })
}

// Workloads are those of a namespace; empty: of all.
func (c *Client) Workloads(ns string) Objects[*Workload, *WorkloadList] {
	return objects(c, "workloads", ns, func() *Workload { return new(Workload) }, func() *WorkloadList { return new(WorkloadList) })
}

// List reads all of them that the options select.
func (o Objects[T, L]) List(ctx context.Context, opts metav1.ListOptions) (l L, err error) {
	v, err := o.c.speak(ctx)
	if err != nil {
		return l, err
	}
	l, err = o.by[v].List(ctx, opts)
	return l, o.gone(v, err)
}

// Watch tells of their changes until it is stopped.
func (o Objects[T, L]) Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	v, err := o.c.speak(ctx)
	if err != nil {
		return nil, err
	}
	w, err := o.by[v].Watch(ctx, opts)
	return w, o.gone(v, err)
}

// gone turns a not-found error of all objects of a kind into one that is none: the version, or all
// of Kueue, went away, and which of the two the next call asks.
func (o Objects[T, L]) gone(v string, err error) error {
	if !apierrors.IsNotFound(err) {
		return err
	}
	o.c.forget(v)
	return fmt.Errorf("the API server does not serve Kueue's %s in version %s any more: %w", o.name, v, compute.ErrUnreachable)
}

// Get reads one.
func (o Objects[T, L]) Get(ctx context.Context, name string) (one T, err error) {
	v, err := o.c.speak(ctx)
	if err != nil {
		return one, err
	}
	return o.by[v].Get(ctx, name, metav1.GetOptions{})
}

// Merge merges body into one.
func (o Objects[T, L]) Merge(ctx context.Context, name string, body []byte, opts metav1.PatchOptions) error {
	v, err := o.c.speak(ctx)
	if err != nil {
		return err
	}
	_, err = o.by[v].Patch(ctx, name, types.MergePatchType, body, opts)
	return err
}
