// Package kube owns an emulated Kubernetes API server: the resources that a cluster of GPU jobs
// under Kueue needs, in memory, with reads, writes, patches, watches and tokens as the API's
// conventions say, so that ordinary typed clients and informers work against it. Kueue's objects
// are served in the versions that a Config names, each in its own form.
//
// It never decides anything about what it keeps: what Kueue, the controllers, the scheduler and
// the kubelets do with it is in the folder control. It never keeps anything on the disk.
//
// Differences from a real one, all told to clients in the API's own words: answers are JSON (a client
// that takes nothing else gets 406; bodies of built-in kinds may come as protobuf), a watch cannot send its initial state in the new way
// (422, as servers before it), server-side apply merges and records its manager but knows no
// conflicts between managers.
//
// Concurrency: everything is safe for concurrent use. Objects that the Store hands out are
// shared and must not be written; a hook is called while the Store is locked.
package kube
