package kube

import (
	"bytes"
	"encoding/json"
	"slices"
)

// kueueGroup is the group whose version a Config chooses. Objects are kept in the form of v1beta1,
// which kept is; v1beta2 writes some fields differently.
const (
	kueueGroup = "kueue.x-k8s.io"
	kept       = "v1beta1"
	newer      = "v1beta2"
)

// versions are those in which a resource is served, the preferred one first.
func (s *Server) versions(r *Resource) []string {
	if r.Group != kueueGroup {
		return []string{r.Version}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.Kueue
}

// ServeKueue changes the versions in which Kueue's objects are served, as an upgrade of it does:
// watches in others end.
func (s *Server) ServeKueue(versions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Kueue = versions
	close(s.regroup)
	s.regroup = make(chan struct{})
}

// serves says whether a resource is served in a version. Of a version that nobody has written
// yet only the discovery tells.
func (s *Server) serves(r *Resource, version string) bool {
	return slices.Contains(s.versions(r), version) && (r.Group != kueueGroup || version == kept || version == newer)
}

// groupVersion is the "apiVersion" of what a request asks for.
func (t target) groupVersion() string {
	r := *t.res
	r.Version = t.version
	return r.groupVersion()
}

// moved are the fields that a version writes in other places: from and to are paths.
type moved struct {
	kind     string
	from, to []string
}

func movedFields() []moved {
	return []moved{
		{"ClusterQueue", []string{"spec", "cohort"}, []string{"spec", "cohortName"}},
		{"LocalQueue", []string{"status", "flavorUsage"}, []string{"status", "flavorsUsage"}},
		{"Workload", []string{"status", "accumulatedPastExexcutionTimeSeconds"}, []string{"status", "accumulatedPastExecutionTimeSeconds"}},
	}
}

// as returns the object as JSON in a request's version, worked out when first wanted.
func (e *entry) as(t target) []byte {
	if t.res.Group != kueueGroup || t.version == kept {
		return e.json()
	}
	e.newer.Do(func() { e.newRaw = outward(t, e.json()) })
	return e.newRaw
}

// outward writes an object as a request's version has it, inward reads it so.
func outward(t target, b []byte) []byte {
	if t.res.Group != kueueGroup || t.version == kept {
		return b
	}
	return rewritten(b, t.groupVersion(), func(o map[string]any) {
		for _, m := range movedFields() {
			if m.kind == t.res.Kind {
				move(o, m.from, m.to)
			}
		}
		spec, _ := o["spec"].(map[string]any)
		status, _ := o["status"].(map[string]any)
		switch t.res.Kind {
		case "Workload":
			priorityOut(spec)
		case "LocalQueue":
			delete(status, "flavors")
		case "ClusterQueue":
			delete(status, "pendingWorkloadsStatus")
			if names, ok := spec["admissionChecks"].([]any); ok {
				rules := []any{}
				for _, n := range names {
					rules = append(rules, map[string]any{"name": n})
				}
				spec["admissionChecksStrategy"] = map[string]any{"admissionChecks": rules}
				delete(spec, "admissionChecks")
			}
		}
	})
}

func inward(t target, b []byte) []byte {
	if t.res.Group != kueueGroup || t.version == kept {
		return b
	}
	return rewritten(b, t.res.groupVersion(), func(o map[string]any) {
		for _, m := range movedFields() {
			if m.kind == t.res.Kind {
				move(o, m.from, nil) // not a field of this version: pruned
				move(o, m.to, m.from)
			}
		}
		if spec, _ := o["spec"].(map[string]any); t.res.Kind == "Workload" {
			priorityIn(spec)
		}
	})
}

// rewritten reads an object, changes it and writes it.
func rewritten(b []byte, apiVersion string, change func(map[string]any)) []byte {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var o map[string]any
	if d.Decode(&o) != nil || o == nil {
		return b // refused as it stands
	}
	if o["apiVersion"] != nil {
		o["apiVersion"] = apiVersion
	}
	change(o)
	out, err := json.Marshal(o)
	if err != nil { // it was read from JSON
		return b
	}
	return out
}

// move takes a field from one place to another; without another it takes it away.
func move(o map[string]any, from, to []string) {
	at := o
	for _, k := range from[:len(from)-1] {
		at, _ = at[k].(map[string]any)
	}
	last := from[len(from)-1]
	v, ok := at[last]
	if !ok {
		return
	}
	delete(at, last)
	if to != nil {
		at[to[len(to)-1]] = v // beside where it was
	}
}

// priorityOut turns the name and source of a Workload's priority class into a reference.
func priorityOut(spec map[string]any) {
	name, source := spec["priorityClassName"], spec["priorityClassSource"]
	delete(spec, "priorityClassName")
	delete(spec, "priorityClassSource")
	switch source {
	case kueueGroup + "/workloadpriorityclass":
		spec["priorityClassRef"] = map[string]any{"group": kueueGroup, "kind": "WorkloadPriorityClass", "name": name}
	case "scheduling.k8s.io/priorityclass":
		spec["priorityClassRef"] = map[string]any{"group": "scheduling.k8s.io", "kind": "PriorityClass", "name": name}
	}
}

func priorityIn(spec map[string]any) {
	delete(spec, "priorityClassName")
	delete(spec, "priorityClassSource")
	ref, ok := spec["priorityClassRef"].(map[string]any)
	if !ok {
		return
	}
	delete(spec, "priorityClassRef")
	spec["priorityClassName"] = ref["name"]
	spec["priorityClassSource"] = "scheduling.k8s.io/priorityclass"
	if ref["group"] == kueueGroup {
		spec["priorityClassSource"] = kueueGroup + "/workloadpriorityclass"
	}
}
