package slurm

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

func TestComment(t *testing.T) {
	at := time.Date(2026, 11, 22, 19, 54, 40, 250e6, time.UTC)
	for _, c := range []struct {
		in     string
		saved  time.Time
		claims *compute.Claims
	}{
		{"switchyard:class=pause,saved=1795377280.25", at, nil},
		{"my run, switchyard:saved=2026-11-22T19:54:40.25Z,class=pause v2", at, nil},
		{"switchyard:saved=never", time.Time{}, nil},
		{"saved=1795377280", time.Time{}, nil},
		{"switchyard:class=pause,pause=30m,slowdown=25%,signal=USR1,takes=20s", time.Time{}, &compute.Claims{
			Class: "pause", Pause: site.Some(30 * time.Minute), Slowdown: site.Some(unit.Ratio(0.25)), Signal: "USR1", Takes: site.Some(20 * time.Second),
		}},
		{"switchyard:class=firm,pause=0s,per=1h,notice=2h,min_run=3h,restart=4h,every=0s,slowdown=0", time.Time{}, &compute.Claims{
			Class: "firm", Pause: site.Some(time.Duration(0)), Per: site.Some(time.Hour), Notice: site.Some(2 * time.Hour), MinRun: site.Some(3 * time.Hour),
			Restart: site.Some(4 * time.Hour), Every: site.Some(time.Duration(0)), Slowdown: site.Some(unit.Ratio(0)),
		}},
		{"switchyard:class=gold", time.Time{}, &compute.Claims{Class: "gold"}}, // a class of the site file, or of nobody: the cluster knows
		{"switchyard:pause=30m", time.Time{}, nil},
		{"switchyard:class=pause,pause=-30m,slowdown=100%,signal=KILL", time.Time{}, nil},
	} {
		saved, claims := told(c.in)
		if !saved.Equal(c.saved) {
			t.Errorf("%q: saved %s", c.in, saved)
		}
		if d := cmp.Diff(c.claims, claims); d != "" {
			t.Errorf("%q: %s", c.in, d)
		}
	}
}

func TestMarkerComesBackAsItWasWritten(t *testing.T) {
	at := time.Date(2026, 11, 22, 19, 54, 40, 250e6, time.UTC)
	m := marker{Asked: at, Until: at.Add(time.Minute), Had: at.Add(-time.Hour), By: []string{byStop}}.with(byDrain)
	text := m.write("of its owner")
	if !strings.HasSuffix(text, " of its owner") {
		t.Errorf("%q", text)
	}
	if d := cmp.Diff(m, readMarker(text)); d != "" {
		t.Error(d)
	}
	if s := m.without(byStop).without(byDrain).write(text); s != "of its owner" {
		t.Errorf("without us it says %q", s)
	}
	// A checkpoint counts that is newer than the one before the request, to the second that a job may tell.
	m.Had = time.Time{}
	for saved, want := range map[time.Time]bool{
		at.Truncate(time.Second): true, at.Add(time.Second): true, at.Add(-time.Second): false,
	} {
		if m.savedSince(site.Some(saved)) != want {
			t.Errorf("saved at %s", saved)
		}
	}
	// What is left from an earlier run says nothing about this one.
	if m.inForce(job{Started: at.Add(time.Second)}) || !m.inForce(job{Started: at.Truncate(time.Second)}) {
		t.Error("a marker of an earlier run is in force, or this run's is not")
	}
}

const jobText = `JobId=12 ArrayJobId=10 ArrayTaskId=2 JobName=x Partition=firm JobState=COMPLETED
   UserId=root(0) GroupId=root(0) MCS_label=N/A
   Priority=0 Nice=0 Account=tenanta QOS=normal
   JobState=RUNNING Reason=None Dependency=(null)
   Requeue=1 Restarts=2 BatchFlag=1 Reboot=0 ExitCode=0:0
   RunTime=00:00:01 TimeLimit=365-00:00:00 TimeMin=N/A
   SubmitTime=1795377206 EligibleTime=1795377206
   StartTime=1795377207 EndTime=1826913207 Deadline=N/A
   SuspendTime=None SecsPreSuspend=0 LastSchedEval=1795377207 Scheduler=Backfill
   Partition=flex AllocNode:Sid=localhost:28245
   NodeList=gpu[1-2]
   NumNodes=2 NumCPUs=4 NumTasks=2 CPUs/Task=2 ReqB:S:C:T=0:0:*:*
   TRES=cpu=4,node=2,billing=4,gres/gpu=8
   JOB_GRES=gpu:h100:8
     Nodes=gpu1 CPU_IDs=2-3 Mem=0 GRES=gpu:h100:4(IDX:2-5)
     Nodes=gpu2 CPU_IDs=0-1 Mem=0 GRES=gpu:h100:4(IDX:0-3)
   Comment=switchyard:class=pause,saved=1795377280 Partition=firm
   TresPerNode=gres:gpu:h100:4


`

func TestScontrolsText(t *testing.T) {
	js, err := parseJobs(jobText + "\n" + strings.Replace(jobText, "JobState=RUNNING", "JobState=PENDING", 1))
	if err != nil || len(js) != 2 {
		t.Fatalf("%d jobs, %v", len(js), err)
	}
	want := job{
		ID: "10_2", Name: "x Partition=firm JobState=COMPLETED", Account: "tenanta", Partition: "flex",
		States: []string{"RUNNING"}, Reason: "None", Held: true, Requeue: true, Batch: true,
		Nodes: []string{"gpu1", "gpu2"}, Gres: []string{"gpu:h100:4(IDX:2-5)", "gpu:h100:4(IDX:0-3)"}, GPUs: 8,
		Submitted: time.Unix(1795377206, 0).UTC(), Started: time.Unix(1795377207, 0).UTC(), Restarts: 2,
		Comment: "switchyard:class=pause,saved=1795377280 Partition=firm",
	}
	if d := cmp.Diff(want, js[0]); d != "" {
		t.Error(d)
	}
	if j := js[1]; !j.Started.IsZero() || j.Nodes != nil {
		t.Errorf("a waiting job has a start or nodes: %+v", j)
	}
	ns, version, err := parseNodes("NodeName=gpu1 Arch=x86_64\n   Gres=gpu:h100:8\n   GresUsed=gpu:h100:6(IDX:0-5)\n" +
		"   NodeAddr=127.0.0.1 Version=22.05.8\n   State=IDLE*+POWERED_DOWN+MAINTENANCE ThreadsPerCore=1\n   Reason=State=UP of somebody\n")
	if err != nil || version != "22.05.8" {
		t.Fatal(version, err)
	}
	if d := cmp.Diff([]node{{Name: "gpu1", Flags: []string{"IDLE", "POWERED_DOWN", "MAINTENANCE"}, GPUs: 8, Used: 6}}, ns); d != "" {
		t.Error(d)
	}
	if _, err := parseJobs("slurm_load_jobs: what is this"); err == nil {
		t.Error("no job and no error")
	}
}

func TestStates(t *testing.T) {
	for _, c := range []struct {
		flags  string
		fenced bool
		want   compute.NodeState
	}{
		{"IDLE", false, compute.NodeUp},
		{"MIXED", true, compute.NodeFenced},
		{"IDLE MAINTENANCE", false, compute.NodeFenced},
		{"IDLE MAINTENANCE POWER_DOWN", true, compute.NodeStopping},
		{"IDLE POWERING_DOWN", true, compute.NodeStopping},
		{"IDLE POWERED_DOWN", true, compute.NodeOff},
		{"IDLE POWERED_DOWN POWER_UP", true, compute.NodeStarting},
		{"IDLE POWERING_UP NOT_RESPONDING", true, compute.NodeStarting},
		{"DOWN NOT_RESPONDING", false, compute.NodeDown},
		{"FUTURE CLOUD", false, compute.NodeDown},
		{"ALLOCATED DRAIN", false, compute.NodeFenced},
	} {
		n := node{Flags: strings.Fields(c.flags)}
		if got := n.state(c.fenced); got != c.want {
			t.Errorf("%s: %s", c.flags, got)
		}
	}
	paused := marker{Paused: time.Unix(100, 0), By: []string{byStop}}
	for _, c := range []struct {
		states string
		held   bool
		m      marker
		want   compute.JobState
	}{
		{"PENDING", false, paused, compute.JobPending},
		{"PENDING", true, paused, compute.JobPaused},
		{"PENDING", true, marker{}, compute.JobPending},
		{"PENDING COMPLETING", true, paused, compute.JobStopping},
		{"RUNNING", false, marker{}, compute.JobRunning},
		{"RUNNING", false, paused, compute.JobStopping},
		{"SUSPENDED", false, marker{}, compute.JobFrozen},
		{"COMPLETED", false, paused, compute.JobDone},
		{"CANCELLED COMPLETING", false, marker{}, compute.JobStopping},
		{"NODE_FAIL", false, marker{}, compute.JobFailed},
	} {
		j := job{States: strings.Fields(c.states), Held: c.held}
		if got := j.state(c.m); got != c.want {
			t.Errorf("%s: %s", c.states, got)
		}
	}
}

// newerJSON is how versions since v0.0.39 write the same.
const newerJSON = `{"jobs":[{"job_id":12,"array_job_id":{"set":true,"infinite":false,"number":0},"array_task_id":{"set":false,"number":0},
"name":"train","account":"tenanta","partition":"flex","job_state":["RUNNING"],"state_reason":"None","priority":{"set":true,"infinite":false,"number":0},
"hold":false,"requeue":true,"batch_flag":true,"nodes":"gpu1","gres_detail":["gpu:h100:4(IDX:0-3)"],"tres_alloc_str":"cpu=4,gres/gpu=4",
"submit_time":{"set":true,"infinite":false,"number":1795377206},"start_time":{"set":true,"infinite":false,"number":1795377207},
"end_time":{"set":true,"infinite":true,"number":0},"restart_cnt":1,"comment":"switchyard:saved=1795377280","admin_comment":""}],
"meta":{"plugin":{"type":"openapi/slurmctld"},"slurm":{"version":{"major":"24"},"release":"24.11.5"}},"errors":[],"warnings":[]}`

func TestNewerJSON(t *testing.T) {
	js, a, err := decodeJobs(strings.NewReader(newerJSON))
	if err != nil || a.Release != "24.11.5" || len(js) != 1 {
		t.Fatalf("%d jobs of %q: %v", len(js), a.Release, err)
	}
	j := js[0]
	if j.ID != "12" || j.GPUs != 4 || !j.Started.Equal(time.Unix(1795377207, 0)) || !j.Ended.IsZero() || j.Restarts != 1 || !j.is("RUNNING") {
		t.Errorf("%+v", j)
	}
	for _, bad := range []string{"", "{", `{"jobs":{}}`, `{"jobs":[{"job_id":0}]}`, `{"jobs":[{"job_id":1,"job_state":["RUNNING"],"nodes":"a["}]}`, "[]", "null"} {
		if _, _, err := decodeJobs(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// A priority that is not set, or endless, holds nothing; nor is there a task 0 of an array where none is named.
func TestNumbersThatAreNotSet(t *testing.T) {
	for _, c := range []struct {
		priority, task string
		held           bool
		id             string
	}{
		{`{"set":true,"infinite":false,"number":0}`, `{"set":true,"infinite":false,"number":0}`, true, "9_0"},
		{`{"set":false,"infinite":false,"number":0}`, `{"set":false,"infinite":false,"number":0}`, false, "12"},
		{`{"set":false,"infinite":true,"number":0}`, `{"set":true,"infinite":false,"number":7}`, false, "9_7"},
		{`{"set":true,"infinite":true,"number":0}`, `null`, false, "12"},
		{`{"set":true,"infinite":false,"number":4294901759}`, `4294967294`, false, "12"},
		{`0`, `3`, true, "9_3"},
		{`4294967295`, `"3"`, false, "9_3"},
		{`null`, `0`, false, "9_0"},
	} {
		in := `{"jobs":[{"job_id":12,"job_state":["PENDING"],"array_job_id":{"set":true,"number":9},"array_task_id":` + c.task + `,"priority":` + c.priority + `}]}`
		js, _, err := decodeJobs(strings.NewReader(in))
		if err != nil || len(js) != 1 || js[0].Held != c.held || js[0].ID != c.id {
			t.Errorf("priority %s, task %s: %+v, %v", c.priority, c.task, js, err)
		}
	}
}

// Yes and no come as words or numbers: v0.0.39 began with numbers.
func TestFlags(t *testing.T) {
	for in, want := range map[string][3]bool{ // requeue, batch, held
		`"requeue":1,"batch_flag":true,"hold":false`:                              {true, true, false},
		`"requeue":0,"batch_flag":0,"hold":1`:                                     {false, false, true},
		`"requeue":{"set":true,"infinite":false,"number":0},"hold":{"set":false}`: {false, true, false},
		`"requeue":null,"batch_flag":null,"hold":null`:                            {true, true, false},
		`"requeue":false,"batch_flag":"false","hold":"true"`:                      {false, false, true},
		`"state_reason":"None"`:                                                   {true, true, false},
	} {
		js, _, err := decodeJobs(strings.NewReader(`{"jobs":[{"job_id":12,"job_state":["PENDING"],` + in + `}]}`))
		if err != nil || len(js) != 1 || [3]bool{js[0].Requeue, js[0].Batch, js[0].Held} != want {
			t.Errorf("%s: %+v, %v", in, js, err)
		}
	}
}

func TestSacct(t *testing.T) {
	rs, err := parseSacct(strings.NewReader("1|tenanta|flex|REQUEUED|100|200|cpu=4,gres/gpu=8\n1|tenanta|flex|RUNNING|210|Unknown|gres/gpu=8\n" +
		"2|tenanta|flex|PENDING|Unknown|Unknown|\n3|tenanta|flex|COMPLETED|100|200|cpu=4\n4_2|firm1|firm|CANCELLED by 0|100|160|gres/gpu:h100=2\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []run{
		{"1", "tenanta", "flex", 8, time.Unix(100, 0).UTC(), time.Unix(200, 0).UTC()},
		{"1", "tenanta", "flex", 8, time.Unix(210, 0).UTC(), time.Time{}},
		{"4_2", "firm1", "firm", 2, time.Unix(100, 0).UTC(), time.Unix(160, 0).UTC()},
	}
	if d := cmp.Diff(want, rs); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"a|b\n", "1|a|b|RUNNING|200|100|gres/gpu=1\n"} {
		if _, err := parseSacct(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestOwnRecordIsBounded(t *testing.T) {
	s := newSeen()
	for i := range mostSeen + 10 {
		s.going["x"] = &run{Job: "x", Start: time.Unix(int64(i), 0)}
		s.end("x", time.Unix(int64(i+1), 0))
	}
	if n := len(s.runs()); n > mostSeen {
		t.Errorf("%d runs are kept", n)
	}
}

func FuzzScontrol(f *testing.F) {
	f.Add(jobText)
	f.Add("NodeName=gpu1 State=IDLE*+DRAIN Gres=gpu:8(S:0-1)\n\nPartitionName=flex State=UP\n\nReservationName=switchyard-gpu1 Nodes=gpu[1-4]")
	f.Add("JobId=1 JobState=PENDING Nodes=a[0-19999] GRES=gpu:9(IDX:0-999999999)")
	f.Fuzz(func(_ *testing.T, s string) {
		if js, err := parseJobs(s); err == nil {
			for _, j := range js {
				m := readMarker(j.AdminComment)
				_ = j.state(m)
				_, _ = told(j.Comment)
			}
		}
		_, _, _ = parseNodes(s)
		_, _ = parsePartitions(s)
		_, _ = parseReservations(s)
	})
}

func FuzzREST(f *testing.F) {
	f.Add([]byte(newerJSON))
	f.Add([]byte(`{"meta":{"Slurm":{"release":"22.05.8"}},"errors":[{"error_number":-1,"error":"Unspecified error"}],"jobs":[{"job_id":1,"job_state":"RUNNING","start_time":1795377207,"array_task_id":null}]}`))
	f.Add([]byte(`{"nodes":[{"name":"gpu1","state":"idle","state_flags":["DRAIN"],"gres":"gpu:h100:8"}],"partitions":[{"name":"flex","partition":{"state":["UP"]}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if js, _, err := decodeJobs(bytes.NewReader(b)); err == nil {
			for _, j := range js {
				if j.ID == "" || len(j.States) == 0 {
					t.Errorf("a job without id or state: %+v", j)
				}
			}
		}
		var ns []node
		_, _ = decode(bytes.NewReader(b), "nodes", collect(&ns, wireNode.node))
		var ps []partition
		_, _ = decode(bytes.NewReader(b), "partitions", collect(&ps, wirePartition.partition))
		_, _ = readPaths(bytes.NewReader(b), make(map[int]map[string]bool))
	})
}

func FuzzSacct(f *testing.F) {
	f.Add("1|tenanta|flex|REQUEUED|100|200|cpu=4,gres/gpu=8\n4_2|firm1|firm|CANCELLED by 0|100|Unknown|gres/gpu:h100=2\n")
	f.Fuzz(func(t *testing.T, s string) {
		rs, err := parseSacct(strings.NewReader(s))
		for _, r := range rs {
			if err == nil && (r.GPUs <= 0 || r.Start.IsZero() || !r.End.IsZero() && r.End.Before(r.Start)) {
				t.Errorf("%+v", r)
			}
		}
	})
}

func FuzzComment(f *testing.F) {
	f.Add("switchyard:class=pause,saved=1795377280,pause=3h of mine")
	f.Add("switchyard:by=stop+drain,asked=1.5,until=2,had=0,paused=3")
	f.Fuzz(func(t *testing.T, s string) {
		_, _ = told(s)
		m := readMarker(s)
		if len(m.By) > 0 && len(s) < 1000 {
			if d := cmp.Diff(m, readMarker(m.write(s))); d != "" {
				t.Errorf("%q: %s", s, d)
			}
		}
	})
}
