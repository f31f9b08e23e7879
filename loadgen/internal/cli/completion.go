package cli

import (
	"fmt"
	"io"
	"strings"
)

const completion = `_loadgen() {
    local words="run agent completion help version"
    [ "$COMP_CWORD" = 1 ] || words="%s"
    COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[$COMP_CWORD]}"))
}
complete -o default -F _loadgen loadgen
`

// Completion writes what lets bash complete the commands and the options of run.
func Completion(w io.Writer) {
	var names []string
	for _, g := range newOptions().groups(nil) {
		for _, opt := range g.options {
			names = append(names, dashed(opt.name))
		}
	}
	_, _ = fmt.Fprintf(w, completion, strings.Join(names, " "))
}
