package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// children are the processes whose parent is pid.
func children(t *testing.T, pid int) []int {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(lists) == 0 {
		t.Fatalf("no thread of %d: %v", pid, err)
	}
	var pids []int
	for _, list := range lists {
		text, _ := os.ReadFile(list) // of a thread that may have ended
		for word := range strings.FieldsSeq(string(text)) {
			child, _ := strconv.Atoi(word)
			pids = append(pids, child)
		}
	}
	return pids
}

func number(v any) int { return int(v.(float64)) }

func TestShareOverSeveralProcesses(t *testing.T) {
	t.Parallel()
	spec := specification(t, echoServer(t))
	loadOf(spec)["connections"], loadOf(spec)["active"], loadOf(spec)["rate"], spec["processes"] = 50, 50, 500, 3
	p := greeted(t, spec)
	if e := p.arm(); number(e["verified"]) != 50 || number(e["connected"]) != 50 {
		t.Fatalf("%v", e)
	}
	if pids := children(t, p.cmd.Process.Pid); len(pids) != 3 {
		t.Errorf("the processes are %v", pids)
	}
	p.say(`{"order":"prove"}`)
	if e := p.next("proved"); number(e["verified"]) != 50 || number(e["failed"]) != 0 {
		t.Errorf("%v", e)
	}
	p.start()
	answered := 0
	for k := range 2 { // a second of warm-up, one of window
		e := p.next("interval")
		checkInterval(t, e, k, []string{"warmup", "load"}[k])
		answered += number(e["answered"])
	}
	e := p.next("done")
	totals := e["totals"].(object)
	if sum := number(totals["warmup"].(object)["answered"]) + number(totals["load"].(object)["answered"]); sum != answered || sum < 800 {
		t.Errorf("the intervals have %d answers, the totals %d", answered, sum)
	}
	self := e["self"].(object)
	if number(self["processes"]) != 3 || number(self["cpu_user_ns"])+number(self["cpu_system_ns"]) <= 0 {
		t.Errorf("%v", self)
	}
	p.stop(0)
}

// While it connects for seconds, an agent says how far it is, whether it has processes or not.
func TestAnAgentSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	for _, processes := range []any{nil, 3} {
		spec := specification(t, echoServer(t))
		loadOf(spec)["connect_rate"], spec["processes"] = 5, processes // 20 of them take four seconds
		p := greeted(t, spec)
		p.say(`{"order":"arm"}`)
		for last := -1; last < 5; {
			e := p.next("progress")
			if done := number(e["done"]); e["of"] != "arm" || done < last || done > 20 {
				t.Fatalf("%v after %d", e, last)
			} else {
				last = done
			}
		}
		p.next("armed")
		p.stop(0)
	}
}

// What an agent uses is that of its processes too.
func TestAnAgentSaysWhatItUses(t *testing.T) {
	t.Parallel()
	for processes, want := range map[int]int{1: 1, 3: 4} {
		spec := specification(t, echoServer(t))
		loadOf(spec)["connect_rate"], spec["processes"] = 5, processes // so that it arms for four seconds
		p := greeted(t, spec)
		p.say(`{"order":"arm"}`)
		e := p.next("own")
		if number(e["processes"]) != want || number(e["rss_bytes"]) < want<<20 || number(e["descriptors"]) < 3*want {
			t.Errorf("%v of %d processes", e, want)
		}
		p.next("armed")
		p.stop(0)
	}
}

// With a limit so low that one process cannot hold the share, it is split without anybody asking for it.
func TestLowLimitSplitsTheShare(t *testing.T) {
	t.Parallel()
	spec := specification(t, echoServer(t))
	loadOf(spec)["connections"], loadOf(spec)["active"], loadOf(spec)["rate"] = 100, 100, 100
	p := launchLimited(t, spec, 64+40)
	p.next("hello")
	if e := p.arm(); number(e["verified"]) != 100 {
		t.Fatalf("%v", e)
	}
	if pids := children(t, p.cmd.Process.Pid); len(pids) != 3 { // 40 each at most
		t.Errorf("the processes are %v", pids)
	}
	p.stop(0)
}

func TestProcessOfAGroupIsKilled(t *testing.T) {
	t.Parallel()
	spec := specification(t, echoServer(t))
	spec["processes"] = 2
	p := greeted(t, spec)
	p.arm()
	p.start()
	pids := children(t, p.cmd.Process.Pid)
	p.next("interval")
	_ = syscall.Kill(pids[0], syscall.SIGKILL)
	if e := p.next("error"); e["cause"] != "process" || !strings.Contains(e["message"].(string), fmt.Sprintf("%d is gone: signal: killed", pids[0])) {
		t.Errorf("%v", e)
	}
	p.say(`{"order":"stop"}`)
	p.exit()
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("process %d is still there", pid)
		}
	}
}

func TestGroupDiesWithItsAgent(t *testing.T) {
	t.Parallel()
	spec := specification(t, echoServer(t))
	spec["processes"] = 2
	p := greeted(t, spec)
	p.arm()
	pids := children(t, p.cmd.Process.Pid)
	_ = p.cmd.Process.Kill()
	p.exit()
	deadline := time.Now().Add(patience)
	for _, pid := range pids {
		for syscall.Kill(pid, 0) == nil && !zombie(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d outlives its agent", pid)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// zombie tells whether a process has ended and only waits for init to take notice.
func zombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(text), ") Z ")
}

func TestStepsOfARamp(t *testing.T) {
	t.Parallel()
	spec := specification(t, echoServer(t))
	loadOf(spec)["workload"] = "ramp"
	p := greeted(t, spec)
	for _, upTo := range []int{7, 14} {
		p.say(`{"order":"arm","connections":%d}`, upTo)
		if e := p.next("armed"); number(e["verified"]) != upTo {
			t.Fatalf("%v", e)
		}
		p.say(`{"order":"prove"}`)
		if e := p.next("proved"); number(e["verified"]) != upTo {
			t.Errorf("%v", e)
		}
	}
	p.start()
	if e := p.next("error"); e["phase"] != "protocol" {
		t.Errorf("go between the steps: %v", e)
	}
	p.say(`{"order":"arm","connections":20}`)
	p.next("armed")
	p.start()
	p.next("interval")
	p.next("interval")
	p.next("done")
	p.stop(0)
}
