package slurmtest

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
)

type ports struct {
	ctld, dbd, sql, rest int
	nodes                []int
}

// Ports are taken below those that the kernel gives to outgoing connections: one of those would be
// gone when a node that was off is to have its port back. They are taken in blocks, whose first
// port is kept as a sign to other clusters of this kind for as long as we live.
const (
	lowest, highest = 20_000, 32_000
	block           = 100
)

// freePorts finds n ports that nobody has, and the lock on their block.
func freePorts(n int) ([]int, net.Listener, error) {
	if n >= block {
		return nil, nil, fmt.Errorf("%d ports are more than a block has", n)
	}
	listen := func(port int) (net.Listener, error) {
		return net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	}
	blocks := (highest - lowest) / block
	from := mathrand.IntN(blocks)
	for i := range blocks {
		base := lowest + (from+i)%blocks*block
		lock, err := listen(base)
		if err != nil {
			continue
		}
		var out []int
		for p := base + 1; p < base+block && len(out) < n; p++ {
			if l, err := listen(p); err == nil {
				_ = l.Close()
				out = append(out, p)
			}
		}
		if len(out) == n {
			return out, lock, nil
		}
		_ = lock.Close()
	}
	return nil, nil, fmt.Errorf("no %d free ports from %d to %d", n, lowest, highest)
}

// layout makes the folders, keys, device files and configuration.
func (c *Cluster) layout() error {
	p, lock, err := freePorts(4 + c.opt.Nodes)
	if err != nil {
		return err
	}
	c.lock = lock
	c.ports = ports{ctld: p[0], dbd: p[1], sql: p[2], rest: p[3], nodes: p[4:]}
	for _, d := range []string{"etc", "run", "log", "state", "spool", "dev", "busy", "work", "db"} {
		if err := os.Mkdir(c.path(d), 0o755); err != nil {
			return err
		}
	}
	for name, n := range map[string]int{"etc/munge.key": 1024, "etc/jwt.key": 32} {
		key := make([]byte, n)
		_, _ = rand.Read(key)
		if err := os.WriteFile(c.path(name), key, 0o600); err != nil {
			return err
		}
	}
	for i := range c.opt.GPUs { // Slurm counts only GPUs that have a device file; these are /dev/null's
		if err := syscall.Mknod(c.path(fmt.Sprintf("dev/nvidia%d", i)), syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
			return fmt.Errorf("make a GPU's device file: %w", err)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	host, _, _ = strings.Cut(host, ".")
	r := strings.NewReplacer("@DIR@", c.dir, "@HOST@", host, "@CTLD@", fmt.Sprint(c.ports.ctld), "@DBD@", fmt.Sprint(c.ports.dbd),
		"@SQL@", fmt.Sprint(c.ports.sql), "@GPUS@", fmt.Sprint(c.opt.GPUs), "@LAST@", fmt.Sprint(c.opt.GPUs-1),
		"@NODES@", fmt.Sprint(c.opt.Nodes), "@BOOT@", fmt.Sprintf("%.3f", c.opt.Boot.Seconds()))
	conf := slurmConf + noAccounting
	if c.opt.Accounting {
		conf = slurmConf + withAccounting
	}
	for i, port := range c.ports.nodes {
		conf += fmt.Sprintf("NodeName=gpu%d NodeHostname=@HOST@ NodeAddr=127.0.0.1 Port=%d CPUs=64 Sockets=1 CoresPerSocket=64 ThreadsPerCore=1 RealMemory=64000 Gres=gpu:h100:@GPUS@ State=UNKNOWN\n", i+1, port)
	}
	conf += partitionsConf
	for _, f := range []struct {
		name, text string
		mode       os.FileMode
	}{
		{"slurm.conf", conf, 0o644},
		{"gres.conf", "AutoDetect=off\nNodeName=gpu[1-@NODES@] Name=gpu Type=h100 File=@DIR@/dev/nvidia[0-@LAST@]\n", 0o644},
		{"cgroup.conf", "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nConstrainCores=no\nConstrainRAMSpace=no\n", 0o644},
		{"slurmdbd.conf", slurmdbdConf, 0o600},
		{"suspend.sh", suspendScript, 0o755},
		{"resume.sh", resumeScript, 0o755},
		{"watchdog.sh", watchdogScript, 0o755},
		{"train.sh", trainScript, 0o755},
		{"hold.sh", holdScript, 0o755},
	} {
		if err := os.WriteFile(c.path("etc/"+f.name), []byte(r.Replace(f.text)), f.mode); err != nil {
			return err
		}
	}
	return nil
}

const slurmConf = `ClusterName=site
SlurmctldHost=@HOST@(127.0.0.1)
SlurmctldPort=@CTLD@
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=@DIR@/run/munge.sock,cred_expire=5
CredType=cred/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=@DIR@/etc/jwt.key
StateSaveLocation=@DIR@/state
SlurmdSpoolDir=@DIR@/spool/%n
SlurmctldPidFile=@DIR@/run/slurmctld.pid
SlurmdPidFile=@DIR@/run/slurmd.%n.pid
SlurmctldLogFile=@DIR@/log/slurmctld.log
SlurmdLogFile=@DIR@/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=30
KillWait=2
CompleteWait=0
MinJobAge=300
InactiveLimit=0
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=2,bf_continue,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
GresTypes=gpu
PriorityType=priority/basic
PreemptType=preempt/partition_prio
PreemptMode=SUSPEND,GANG
JobRequeue=1
SlurmdParameters=config_overrides
SlurmctldParameters=preempt_send_user_signal,power_save_interval=1,power_save_min_interval=1
SuspendProgram=@DIR@/etc/suspend.sh
ResumeProgram=@DIR@/etc/resume.sh
SuspendTime=31536000
SuspendTimeout=3
ResumeTimeout=60
`

const noAccounting = "AccountingStorageType=accounting_storage/none\n"

const withAccounting = `AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort=@DBD@
AccountingStoragePass=@DIR@/run/munge.sock
AccountingStorageTRES=gres/gpu
AccountingStorageEnforce=associations,limits
`

// The firm partition takes GPUs from flexible work, never the other way round.
const partitionsConf = `PartitionName=flex Nodes=gpu[1-@NODES@] Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=5
PartitionName=firm Nodes=gpu[1-@NODES@] MaxTime=INFINITE State=UP PriorityTier=100 PreemptMode=OFF
`

const slurmdbdConf = `AuthType=auth/munge
AuthInfo=socket=@DIR@/run/munge.sock
DbdHost=localhost
DbdPort=@DBD@
SlurmUser=root
LogFile=@DIR@/log/slurmdbd.log
PidFile=@DIR@/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=@SQL@
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
TrackSlurmctldDown=yes
`

// suspendScript cuts a node's power: its slurmd, and all that runs there, are gone.
const suspendScript = `#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin SLURM_CONF=@DIR@/etc/slurm.conf
for n in $(scontrol show hostnames "$1"); do
  echo "$(date +%s.%N) off $n" >> @DIR@/log/power.log
  p=$(cat @DIR@/run/slurmd.$n.pid 2>/dev/null) && kill -9 "$p"
  rm -f @DIR@/run/slurmd.$n.pid
  for e in $(grep -lsz "^SLURMD_NODENAME=$n$" /proc/[0-9]*/environ); do
    p=${e#/proc/}; p=${p%/environ}
    grep -qsz '^SLURM_CONF=@DIR@/' $e && kill -9 "$p"
  done
done
exit 0
`

const resumeScript = `#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin SLURM_CONF=@DIR@/etc/slurm.conf
sleep @BOOT@
for n in $(scontrol show hostnames "$1"); do
  echo "$(date +%s.%N) on $n" >> @DIR@/log/power.log
  setsid slurmd -N $n -b </dev/null >/dev/null 2>&1
done
`

// watchdogScript takes a few rounds: a process may be on its way into being while one is counted.
const watchdogScript = `#!/bin/bash
trap '' INT TERM HUP
unset SLURM_CONF
cat >/dev/null
for round in 1 2 3 4 5 6; do
  found=
  for e in $(grep -lsz '^SLURM_CONF=@DIR@/' /proc/[0-9]*/environ); do
    p=${e#/proc/}; p=${p%/environ}
    [ "$p" = $$ ] || { found=1; kill -9 "$p" 2>/dev/null; }
  done
  [ -n "$found" ] || break
  sleep 0.1
done
rm -rf @DIR@
`
