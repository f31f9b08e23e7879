package agent

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/processes"
)

// TestMain turns the test's own binary into the agent, so that its whole life can be tested: streams, signals, exit.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == processes.Command {
		os.Exit(processes.Serve(os.Stdin, os.Stdout))
	}
	if text := os.Getenv("LOADGEN_TEST_NOFILE"); text != "" {
		n, _ := strconv.ParseUint(text, 10, 64)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
			panic(err)
		}
	}
	if spec := os.Getenv("LOADGEN_TEST_SPEC"); spec != "" {
		os.Exit(Run(spec, os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func echoServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

type object = map[string]any

func specification(t *testing.T, target string) object {
	return object{"version": 2, "run": "20261122T190312Z-3f9a1c", "run_number": 20945436, "trial": 1, "host": "client1",
		"dir": filepath.Join(t.TempDir(), "client1/runs/20261122T190312Z-3f9a1c/001"), "targets": []string{target},
		"sources": []string{"127.0.0.1"}, "first_connection": 0, "phase": 0.0, "cpus": nil, "lifetime_s": 60, "processes": nil,
		"a_field_of_tomorrow": 1, "load": object{"workload": "open", "connections": 20, "active": 20, "rate": 200, "requests": nil,
			"arrival": "poisson", "pipeline": 1, "think_time": 0, "steps": 10, "hostile": nil, "payload_bytes": 64, "connect_rate": 1000,
			"warmup": 1, "duration": 1, "timeout": 20, "arm_timeout": 20, "generator": "go", "seed": 71, "a_parameter_of_tomorrow": 1}}
}

// loadOf is the load of a specification.
func loadOf(spec object) object { return spec["load"].(object) }

// A process is an agent under test.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	pipe   io.ReadCloser
	stdout *bufio.Scanner
	stderr strings.Builder
}

func launch(t *testing.T, spec object) *process {
	t.Helper()
	return launchLimited(t, spec, 0)
}

// launchLimited lets the agent have only so many descriptors, if descriptors is not 0.
func launchLimited(t *testing.T, spec object, descriptors int) *process {
	t.Helper()
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), "LOADGEN_TEST_SPEC="+string(text))
	if descriptors > 0 {
		p.cmd.Env = append(p.cmd.Env, fmt.Sprintf("LOADGEN_TEST_NOFILE=%d", descriptors))
	}
	p.cmd.Stderr = &p.stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if p.pipe, err = p.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewScanner(p.pipe)
	p.stdout.Buffer(nil, maxLine)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// patience is how long a test waits for what must come: how soon it comes is no matter, for the machine may have other work.
const patience = 20 * time.Second

// start orders the start, far enough ahead for a machine with other work.
func (p *process) start() {
	p.t.Helper()
	p.say(`{"order":"go","at":%d}`, engine.Monotonic()+1e9)
}

func (p *process) say(format string, a ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.stdin, format+"\n", a...); err != nil {
		p.t.Fatal(err)
	}
}

// asides are what an agent says of itself by the second; a busy machine may or may not have one before another event.
var asides = map[any]bool{"progress": true, "own": true}

// next reads one event, which must have this name.
func (p *process) next(name string) object {
	p.t.Helper()
	var event object
	for event["event"] == nil || asides[event["event"]] && event["event"] != name {
		if !p.stdout.Scan() {
			p.t.Fatalf("the stream ended before %s: %s", name, p.stderr.String())
		}
		event = nil
		if err := json.Unmarshal(p.stdout.Bytes(), &event); err != nil {
			p.t.Fatalf("%q: %v", p.stdout.Text(), err)
		}
	}
	if event["event"] != name {
		p.t.Fatalf("%v instead of %s", event, name)
	}
	return event
}

func greeted(t *testing.T, spec object) *process {
	t.Helper()
	p := launch(t, spec)
	p.next("hello")
	return p
}

func (p *process) arm() object {
	p.t.Helper()
	p.say(`{"order":"arm"}`)
	return p.next("armed")
}

// stop tells it to stop, and expects this code.
func (p *process) stop(want int) {
	p.t.Helper()
	p.say(`{"order":"stop"}`)
	if code := p.exit(); code != want {
		p.t.Errorf("exit %d, want %d: %s", code, want, p.stderr.String())
	}
}

// exit waits for the end and returns its code.
func (p *process) exit() int {
	p.t.Helper()
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	for p.stdout.Scan() {
	}
	_ = p.cmd.Wait()
	if !timer.Stop() {
		p.t.Errorf("it still ran after %v: %s", patience, p.stderr.String())
	}
	if s := p.stderr.String(); strings.Contains(s, "goroutine ") {
		p.t.Errorf("a stack trace: %s", s)
	}
	return p.cmd.ProcessState.ExitCode()
}

func TestWholeTrial(t *testing.T) {
	spec := specification(t, echoServer(t))
	dir := spec["dir"].(string)
	p := launch(t, spec)
	if h := p.next("hello"); h["version"] != 1.0 || h["host"] != "client1" || h["role"] != "client" || int(h["pid"].(float64)) != p.cmd.Process.Pid {
		t.Errorf("%v", h)
	}
	var id identity
	text, err := os.ReadFile(identityPath(dir))
	if err != nil || json.Unmarshal(text, &id) != nil || id.PID != p.cmd.Process.Pid || id.StartTicks == 0 || id.Run != spec["run"] {
		t.Errorf("the record is %s, %v", text, err)
	}
	p.say(`{"order":"alive"}`)
	p.say(`{"order":"clock","n":7}`)
	if c := p.next("clock"); c["n"] != 7.0 || c["t"].(float64) > float64(engine.Monotonic()) {
		t.Errorf("%v", c)
	}
	if a := p.arm(); a["verified"] != 20.0 || a["connected"] != 20.0 || len(a["failed"].(object)) != 0 {
		t.Errorf("%v", a)
	}
	p.say(`{"order":"prove"}`)
	if a := p.next("proved"); a["verified"] != 20.0 || a["failed"] != 0.0 {
		t.Errorf("%v", a)
	}
	p.say(`{"order":"go","at":1}`)
	if e := p.next("error"); e["phase"] != "start" || e["cause"] != "late" {
		t.Errorf("%v", e)
	}
	p.start()
	p.say(`{"order":"clock","n":8}`) // is answered whatever the engine does
	p.next("clock")
	checkInterval(t, p.next("interval"), 0, "warmup")
	checkInterval(t, p.next("interval"), 1, "load")
	d := p.next("done")
	if c := d["connections"].(object); c["armed"] != 20.0 || c["open"] != 20.0 || c["lost"] != 0.0 {
		t.Errorf("%v", d)
	}
	p.say(`{"order":"prove"}`)
	p.next("proved")
	p.stop(0)
	if _, err := os.Stat(identityPath(dir)); err == nil {
		t.Error("the record is left behind")
	}
	checkFiles(t, dir)
}

func checkInterval(t *testing.T, e object, k int, phase string) {
	t.Helper()
	var h hist.Histogram
	err := h.UnmarshalText([]byte(e["response"].(string)))
	if err != nil || int(e["k"].(float64)) != k || e["phase"] != phase || e["answered"] != e["planned"] || float64(h.Count()) != e["answered"] {
		t.Errorf("%v, %v", e, err)
	}
}

func checkFiles(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "agent.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	var header, trailer object
	if json.Unmarshal([]byte(lines[0]), &header) != nil || header["header"] != 1.0 || header["file"] != "agent" {
		t.Errorf("header %s", lines[0])
	}
	last := lines[len(lines)-1]
	if json.Unmarshal([]byte(last), &trailer) != nil || trailer["trailer"] != 1.0 || int(trailer["lines"].(float64)) != len(lines)-2 {
		t.Errorf("trailer %s of %d lines", last, len(lines))
	}
	if text, err = os.ReadFile(filepath.Join(dir, "latency.hlog")); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]int{"response": 2, "lag": 1, "service": 1, "connect": 1} {
		if got := strings.Count(string(text), "\nTag="+kind+","); got != want {
			t.Errorf("%d lines of %s in the latency log, want %d", got, kind, want)
		}
	}
	if text, err = os.ReadFile(filepath.Join(dir, "loadgen.log")); err != nil || !strings.Contains(string(text), "armed") {
		t.Errorf("the log says %q, %v", text, err)
	}
}

func TestOrdersOutOfPlace(t *testing.T) {
	p := greeted(t, specification(t, echoServer(t)))
	for _, order := range []string{`{"order":"fly"}`, `{"order":"go"}`, `{"order":"go","at":"soon"}`, `{"order":"clock"}`, `[]`, `not json`, ``,
		`{"order":"prove"}`, `{"order":"go","at":99}`, `{"order":"go","at":1`} {
		p.say("%s", order)
		if e := p.next("error"); e["phase"] != "protocol" || e["cause"] != "protocol" || e["message"] == "" || e["remedy"] == "" {
			t.Errorf("%s: %v", order, e)
		}
	}
	p.say(`{"order":"clock","n":8,"a field of a later version":true}`)
	p.next("clock")
	p.arm()
	p.say(`{"order":"arm"}`)
	p.next("error")
	p.stop(0)
}

func TestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		change func(object)
		act    func(*process)
		code   int
		why    string // else a deaf agent would pass, for silence or its lifetime ends it in the end
	}{
		"end of input": {nil, func(p *process) { _ = p.stdin.Close() }, 1, "its input ended"},
		"terminated":   {nil, func(p *process) { _ = p.cmd.Process.Signal(syscall.SIGTERM) }, 1, "terminated"},
		"interrupted":  {nil, func(p *process) { _ = p.cmd.Process.Signal(syscall.SIGINT) }, 1, "interrupt"},
		"lifetime":     {func(s object) { s["lifetime_s"] = 0.3 }, func(*process) {}, 1, "its lifetime is over"},
		"nobody reads": {nil, func(p *process) {
			_ = p.pipe.Close()
			p.say(`{"order":"clock","n":1}`)
		}, 1, "stdout has no reader"},
		"silence": {nil, func(*process) {}, 1, "no order for 10s"},
		"in the window": {nil, func(p *process) {
			p.say(`{"order":"arm"}`)
			p.next("armed")
			p.start()
			p.next("interval")
			p.say(`{"order":"stop"}`)
		}, 0, "told to stop"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := specification(t, echoServer(t))
			if c.change != nil {
				c.change(spec)
			}
			p := launch(t, spec)
			p.next("hello")
			c.act(p)
			if code := p.exit(); code != c.code {
				t.Errorf("exit %d, want %d: %s", code, c.code, p.stderr.String())
			}
			text, err := os.ReadFile(filepath.Join(spec["dir"].(string), "agent.jsonl"))
			if err != nil || !strings.Contains(string(text), `{"trailer":1`) {
				t.Errorf("no trailer: %s, %v", text, err)
			}
			if text, err = os.ReadFile(filepath.Join(spec["dir"].(string), "loadgen.log")); err != nil || !strings.Contains(string(text), "ends: "+c.why) {
				t.Errorf("not %q: %s, %v", c.why, text, err)
			}
			if _, err := os.Stat(identityPath(spec["dir"].(string))); err == nil {
				t.Error("the record is left behind")
			}
		})
	}
}

// A stdout that nobody reads must hold up neither the load nor the end; what was lost is counted.
func TestFullPipe(t *testing.T) {
	spec := specification(t, echoServer(t))
	p := greeted(t, spec)
	for n := range 6000 { // more than pipe and queue take
		p.say(`{"order":"clock","n":%d}`, n)
	}
	p.say(`{"order":"arm"}`)
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) { // it logs the last order though nobody reads
		text, err := os.ReadFile(filepath.Join(spec["dir"].(string), "loadgen.log"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "armed") {
			break
		}
		if time.Since(begun) > patience {
			t.Fatalf("not armed after %v: %s", patience, text)
		}
	}
	told := 0.0
	for range 6001 {
		if !p.stdout.Scan() {
			break
		}
		var e object
		if json.Unmarshal(p.stdout.Bytes(), &e) == nil && e["event"] == "dropped" {
			told = e["lines"].(float64)
			break
		}
	}
	if told < 1 {
		t.Error("lines were lost, and it did not say so")
	}
	p.stop(0)
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(object)
		says   string
	}{
		"version":     {func(s object) { s["version"] = 3 }, "version must be 2"},
		"workload":    {func(s object) { loadOf(s)["workload"] = "idle" }, "open, ramp"},
		"generator":   {func(s object) { loadOf(s)["generator"] = "pool" }, "go, goroutine"},
		"calibrating": {func(s object) { loadOf(s)["generator"], loadOf(s)["workload"] = "goroutine", "calibrate" }, "one that has the workload calibrate"},
		"arrival":     {func(s object) { loadOf(s)["arrival"] = "late" }, "poisson, fixed, uniform"},
		"hostile":     {func(s object) { loadOf(s)["hostile"] = object{"kind": "rude", "connections": 1} }, "slow_read"},
		"processes":   {func(s object) { s["processes"] = 0 }, "1 or more"},
		"think time":  {func(s object) { loadOf(s)["think_time"] = -1 }, "think_time must be 0 or more"},
		"payload":     {func(s object) { loadOf(s)["payload_bytes"] = 31 }, "payload_bytes must be 32 or more"},
		"connections": {func(s object) { loadOf(s)["connections"] = -1 }, "connections must be 0 or more"},
		"type":        {func(s object) { loadOf(s)["connections"] = "many" }, "connections must be int"},
		"load":        {func(s object) { s["load"] = 7 }, "load must be"},
		"active":      {func(s object) { loadOf(s)["active"] = 21 }, "active must be"},
		"phase":       {func(s object) { s["phase"] = 1.0 }, "phase must be"},
		"target":      {func(s object) { s["targets"] = []string{"server:9000"} }, "server:9000"},
		"source":      {func(s object) { s["sources"] = []string{"me"} }, `"me"`},
		"directory":   {func(s object) { s["dir"] = "/proc/none/runs/x/001" }, "cannot be made"},
		"processor":   {func(s object) { s["cpus"] = []int{1023} }, "processors"},
		"lost target": {func(s object) { delete(s, "targets") }, "targets must be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := specification(t, "127.0.0.1:1")
			c.change(spec)
			p := launch(t, spec)
			if e := p.next("error"); e["phase"] != "spec" || !strings.Contains(e["message"].(string), c.says) || e["remedy"] == "" {
				t.Errorf("%v", e)
			}
			if code := p.exit(); code != 2 {
				t.Errorf("exit %d", code)
			}
		})
	}
}

func TestBudgetRefusesAndStaysUntilTold(t *testing.T) {
	spec := specification(t, "127.0.0.1:1")
	loadOf(spec)["connections"] = 9_000_000
	p := greeted(t, spec)
	p.say(`{"order":"arm"}`)
	if e := p.next("error"); e["phase"] != "budget" || e["cause"] != "ports" || !strings.Contains(e["message"].(string), "28232") {
		t.Errorf("%v", e)
	}
	p.say(`{"order":"clock","n":1}`)
	p.next("clock")
	p.stop(2)
}

func TestKilledAgentLeavesWholeLines(t *testing.T) {
	spec := specification(t, echoServer(t))
	p := greeted(t, spec)
	p.arm()
	p.start()
	p.next("interval")
	_ = p.cmd.Process.Kill()
	p.exit()
	for _, name := range []string{"agent.jsonl", "latency.hlog"} {
		text, err := os.ReadFile(filepath.Join(spec["dir"].(string), name))
		if err != nil || !strings.HasSuffix(string(text), "\n") || !strings.Contains(string(text), "HISTFAAA") || strings.Contains(string(text), "trailer") {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func TestContractSpec(t *testing.T) {
	text, err := os.ReadFile("../../../tests/contract/vectors/loadgen-spec.json")
	if err != nil {
		t.Fatalf("the vector that binds all rooms is missing: %v", err)
	}
	s, err := ParseSpec(string(text))
	if err != nil {
		t.Fatal(err)
	}
	share, err := s.Share()
	if c := share.Config; err != nil || c.Run != 20945436 || c.Connections != 3334 || c.ConnectRate != 1667 || c.Requests != -1 || c.Timeout != 5*time.Second {
		t.Errorf("%+v, %v", share, err)
	}
}

func TestParseStartTicks(t *testing.T) {
	fields := strings.Repeat("1 ", 18)
	for stat, want := range map[string]uint64{"7 (x) S " + fields + "4242 9": 4242, "7 (a ) b (c) S " + fields + "77 9": 77} {
		if got, err := parseStartTicks(stat); err != nil || got != want {
			t.Errorf("%q: %d, %v", stat, got, err)
		}
	}
	if _, err := parseStartTicks("7 (x) S 1"); err == nil {
		t.Error("a line too short is accepted")
	}
}

func FuzzParseSpec(f *testing.F) {
	f.Add(`{"version":2,"run":"r","trial":1,"host":"h","dir":"/a/b/c/d","lifetime_s":9,"targets":["127.0.0.1:1"],"load":{"workload":"open","generator":"go"}}`)
	f.Add(`{"version":1,"requests":7}`)
	f.Add(`{"version":1e400}`)
	f.Add(`[]`)
	f.Fuzz(func(_ *testing.T, text string) {
		if s, err := ParseSpec(text); err == nil {
			_, _ = s.Share() // an error or a share, never a panic
		}
	})
}

// Whatever comes on stdin, every line is obeyed or answered, and the end of input is the end.
func FuzzOrders(f *testing.F) {
	f.Add([]byte("{\"order\":\"alive\"}\n{\"order\":\"clock\",\"n\":7}\n{\"order\":\"arm\",\"connections\":3}\n{\"order\":\"go\",\"at\":1}\n"))
	f.Add([]byte("{\"order\":\"stop\"}\n{"))
	f.Add([]byte("\x00\n[]\nnull\n{\"order\":7}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a := newAgent(io.Discard)
		var err error
		if a.journal, err = newJournal(filepath.Join(t.TempDir(), "agent.jsonl"), &Spec{}, io.Discard, func(error) {}); err != nil {
			t.Fatal(err)
		}
		a.read(bytes.NewReader(text), func() {})
		a.journal.close()
		select {
		case <-a.ctx.Done():
		default:
			t.Error("the end of input is not the end")
		}
	})
}
