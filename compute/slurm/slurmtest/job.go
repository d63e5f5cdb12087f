package slurmtest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Job is a training job that counts steps of a tenth of a second.
type Job struct {
	Name, Account, Partition string // default train, tenanta, flex
	Class                    string // what it says of itself in its comment; default pause
	Nodes, GPUs              int    // GPUs a node; default 1 and 8
	// Save is how long a checkpoint takes. Every is how often it makes one unasked; zero: never.
	Save, Every time.Duration
	Deaf        bool // it does not save when asked
	Steps       int  // it ends after so many; zero: never
	Args        []string
}

// Submit submits a job and returns its id.
func (c *Cluster) Submit(j Job) (string, error) {
	set := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	set(&j.Name, "train")
	set(&j.Account, "tenanta")
	set(&j.Partition, "flex")
	set(&j.Class, "pause")
	if j.Nodes == 0 {
		j.Nodes = 1
	}
	if j.GPUs == 0 {
		j.GPUs = c.opt.GPUs
	}
	deaf := "0"
	if j.Deaf {
		deaf = "1"
	}
	args := append([]string{
		"--parsable", "--job-name=" + j.Name, "--account=" + j.Account, "--partition=" + j.Partition,
		fmt.Sprintf("--nodes=%d", j.Nodes), "--ntasks-per-node=1", fmt.Sprintf("--gres=gpu:h100:%d", j.GPUs),
		fmt.Sprintf("--cpus-per-task=%d", j.GPUs), "--output=" + c.path("work/%j.out"), "--open-mode=append", "--chdir=" + c.dir,
	}, j.Args...)
	args = append(args, c.path("etc/train.sh"), j.Class, strconv.FormatInt(j.Save.Milliseconds(), 10),
		strconv.FormatInt(j.Every.Milliseconds(), 10), deaf, strconv.Itoa(j.Steps))
	out, err := c.Command("sbatch", args...)
	if err != nil {
		return "", err
	}
	id, _, _ := strings.Cut(strings.TrimSpace(out), ";")
	if _, err := strconv.Atoi(id); err != nil {
		return "", fmt.Errorf("sbatch: %q is no job id", out)
	}
	return id, nil
}

// Progress is what a job did.
type Progress struct {
	Runs  int // how often it was started
	Step  int // the newest step
	Done  int // steps done, those done twice counted twice
	Lost  int // steps that had to be done again
	Saved int // the step of its checkpoint
	// After is how many steps the runs did after their last checkpoint, at the most.
	After int
	// Gap is the longest time between two steps of the same run, and Worked the time in steps.
	Gap, Worked time.Duration
}

// Progress reads what a job did so far, from its own record: a line a step.
func (c *Cluster) Progress(id string) (Progress, error) {
	f, err := os.Open(c.path("work/" + id + ".log"))
	if err != nil {
		return Progress{}, err
	}
	defer f.Close()
	var p Progress
	var last time.Time
	after := 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var what string
		var step int
		var ms int64
		if n, _ := fmt.Sscanf(sc.Text(), "%s %d %d", &what, &step, &ms); n != 3 {
			continue // a line cut off by a kill
		}
		at := time.UnixMilli(ms)
		switch what {
		case "start":
			p.Runs++
			p.Lost += max(p.Step-step, 0)
			p.After = max(p.After, after)
			p.Step, after = step, 0
		case "step":
			p.Done++
			p.Step = step
			after++
			p.Gap = max(p.Gap, at.Sub(last))
			p.Worked += at.Sub(last)
		case "save":
			p.Saved, after = step, 0
		}
		last = at
	}
	p.After = max(p.After, after)
	return p, nil
}

// Busy says whether a job works on a node's GPU: the job wrote its process's number there, and
// that process is alive.
func (c *Cluster) Busy(node string, index int) bool { return Busy(c.path("busy"), node, index) }

// Busy is the same for a folder of such files, for who knows only that.
func Busy(dir, node string, index int) bool {
	b, err := os.ReadFile(fmt.Sprintf("%s/%s.%d", dir, node, index))
	if err != nil {
		return false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 {
		return false
	}
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// The state follows the name in parentheses: a zombie works no more, a stopped one stands still.
	_, after, _ := strings.Cut(string(stat), ") ")
	return after != "" && !strings.ContainsAny(after[:1], "ZXTt")
}

// trainScript counts steps; USR1 asks it for a checkpoint. It makes no child process on its way
// but for the checkpoint, so that many of them run on a small machine.
const trainScript = `#!/bin/bash
class=$1 save_ms=$2 every_ms=$3 deaf=$4 last=$5
id=$SLURM_JOB_ID work=@DIR@/work/$SLURM_JOB_ID
now() { local t=$EPOCHREALTIME; t=${t/./}; NOW=$((t/1000)); }
exec 9<> <(:)
nap() { read -t "$1" -u 9; }
ask=0
if [ "$deaf" = 1 ]; then trap '' USR1; else trap 'ask=1' USR1; fi
publish() { local i; for i in ${CUDA_VISIBLE_DEVICES//,/ }; do echo $$ > @DIR@/busy/$SLURMD_NODENAME.$i; done; }
withdraw() { local i; for i in ${CUDA_VISIBLE_DEVICES//,/ }; do rm -f @DIR@/busy/$SLURMD_NODENAME.$i; done; }
publish
trap withdraw EXIT
trap 'exit 143' TERM
[ "${SLURM_JOB_NUM_NODES:-1}" -gt 1 ] && srun --overlap --ntasks-per-node=1 @DIR@/etc/hold.sh &
step=0
[ -s $work.saved ] && step=$(<$work.saved)
now; echo "start $step $NOW" >> $work.log
tell() { # when the work was saved, for whoever would stop us
  now; local s=$NOW
  scontrol update jobid=$id comment="switchyard:class=$class,saved=$((s/1000)).$(printf %03d $((s%1000)))" 9>&-
}
checkpoint() {
  local s=$step
  nap $((save_ms/1000)).$(printf %03d $((save_ms%1000)))
  echo $s > $work.saved.new && mv $work.saved.new $work.saved
  now; echo "save $s $NOW" >> $work.log; since=$NOW
  tell
}
since=$NOW
while :; do
  nap 0.1
  step=$((step+1)); now; echo "step $step $NOW" >> $work.log
  if [ $ask = 1 ]; then ask=0; checkpoint; fi
  if [ $every_ms -gt 0 ] && [ $((NOW-since)) -ge $every_ms ]; then checkpoint; fi
  [ $last -gt 0 ] && [ $step -ge $last ] && exit 0
done
`

// holdScript shows the GPUs of a job's further nodes as busy.
const holdScript = `#!/bin/bash
[ "$SLURM_NODEID" = 0 ] && exit 0
exec 9<> <(:)
trap ':' USR1
trap 'exit 143' TERM
for i in ${CUDA_VISIBLE_DEVICES//,/ }; do echo $$ > @DIR@/busy/$SLURMD_NODENAME.$i; done
while :; do read -t 1 -u 9; done
`
