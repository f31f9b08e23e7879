// Command loadgen is the load generator of the C10K benchmark.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"

	"c10k/loadgen/internal/agent"
	"c10k/loadgen/internal/cli"
	"c10k/loadgen/internal/processes"

	"golang.org/x/sys/unix"
)

// version is set at build time where there is a release: -ldflags "-X main.version=…".
var version = "0.1.0"

const usage = `loadgen offers TCP load to an echo server and keeps exact accounts of what comes back.

Usage:
  loadgen run --target HOST:PORT -c 10k -r 10k -d 10s
                              load a server and print what its users would have felt; loadgen help run says more
  loadgen agent --spec JSON   take part in a trial: orders on stdin, events on stdout
  loadgen version             print the version
  loadgen completion          print what lets bash complete all this: . <(loadgen completion)
  loadgen help                print this text

agent is started by the conductor, once per client host and trial. The specification is one JSON object; its
fields, the orders and the events are described in docs/contracts.md. It writes agent.jsonl, latency.hlog and
loadgen.log in the directory that the specification names, and <base>/<host>/agent-<trial>.json while it runs. It ends by itself
at the order stop, at the end of its input, after 10 s without an order, after lifetime_s, and on SIGTERM or SIGINT.

Exit of agent: 0 told to stop; 1 ended for another reason; 2 refused: wrong command line or specification, or this host lacks
the descriptors or ports.
`

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "run":
		return runRun(args[1:], stdout, stderr)
	case "agent":
		return runAgent(args[1:], stdin, stdout, stderr)
	case processes.Command: // one process of a share that is spread over several
		return processes.Serve(stdin, stdout)
	case "completion":
		cli.Completion(stdout)
		return 0
	case "version", "--version":
		fmt.Fprintf(stdout, "loadgen %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return 0
	case "help", "--help", "-h":
		if len(args) > 1 && args[1] == "run" {
			cli.Help(stdout)
			return 0
		}
		fmt.Fprint(stdout, usage)
		return 0
	case "":
		fmt.Fprint(stderr, usage)
		return 2
	}
	fmt.Fprintf(stderr, "loadgen: there is no command %q. Say `loadgen help` for those that there are.\n", command)
	return 2
}

func runRun(args []string, stdout, stderr io.Writer) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM)
	defer signal.Stop(signals)
	return cli.Run(args, cli.World{Stdout: stdout, Stderr: stderr, Terminal: isTerminal(stderr), Signals: signals})
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}

func runAgent(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	spec := flags.String("spec", "", "the specification, a JSON object")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		fmt.Fprint(stdout, usage)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "loadgen: %v. Say `loadgen help` for what agent takes.\n", err)
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "loadgen: agent takes no argument %q. Quote the specification as one word.\n", flags.Arg(0))
		return 2
	case *spec == "":
		fmt.Fprintln(stderr, "loadgen: agent needs --spec with a JSON object. The conductor gives it; docs/contracts.md describes it.")
		return 2
	}
	return agent.Run(*spec, stdin, stdout, stderr)
}
