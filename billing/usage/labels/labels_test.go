package labels

import "testing"

// A label is of a job by its id, or by a pod that its controller named after it.
func TestWhoseALabelIs(t *testing.T) {
	for job, l := range map[string]label{
		"4711":              {job: "4711"},
		"a/statefulset/web": {space: "a", pod: "web-0"},
		"a/pod/one":         {space: "a", pod: "one"},
	} {
		if !l.of(job) {
			t.Errorf("%+v is not of %s", l, job)
		}
	}
	for job, l := range map[string]label{"471": {job: "4711"}, "a/web": {space: "a", pod: "webs-0"}, "a/": {space: "a", pod: "x"}, "x": {space: "a", pod: "x"}} {
		if l.of(job) {
			t.Errorf("%+v is of %s", l, job)
		}
	}
}
