module c10k/go_echo

go 1.25.0
