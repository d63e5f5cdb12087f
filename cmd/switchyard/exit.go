package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"switchyard/strictyaml"
)

// The exit codes; `switchyard help exit-codes` prints what they mean.
const (
	exitOK          = 0
	exitError       = 1
	exitBadInput    = 2
	exitNotFound    = 3
	exitNotAllowed  = 4
	exitUnreachable = 5
)

// coded is an error with its exit code.
type coded struct {
	code int
	err  error
}

// Error prints the error.
func (e *coded) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *coded) Unwrap() error { return e.err }

func withCode(code int, format string, args ...any) error {
	return &coded{code, fmt.Errorf(format, args...)}
}

func badInput(format string, args ...any) error { return withCode(exitBadInput, format, args...) }

// told is the end of a command that has said all there is to say on standard output.
func told(code int) error { return &coded{code: code, err: errTold} }

var errTold = errors.New("told already")

// exitCode returns the code of a command's end.
func exitCode(err error) int {
	var e *coded
	var faults strictyaml.Faults
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &e):
		return e.code
	case errors.As(err, &faults):
		return exitBadInput
	}
	return exitError
}

// message returns what is printed of an error; its further lines are indented, and several
// faults stand on lines of their own.
func message(err error) string {
	if err == nil || errors.Is(err, errTold) {
		return ""
	}
	var faults strictyaml.Faults
	if errors.As(err, &faults) && len(faults) > 1 {
		return indented(fmt.Sprintf("%d faults in %s:\n%s", len(faults), faults[0].File, err))
	}
	return indented(err.Error())
}

func indented(text string) string {
	first, rest, more := strings.Cut(strings.TrimRight(text, "\n"), "\n")
	if !more {
		return first
	}
	return first + "\n  " + strings.ReplaceAll(rest, "\n", "\n  ")
}

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `  0  done
  1  an error: a store that cannot be read, an address that cannot be bound, an interrupted scan
  2  bad input: flags, arguments or a site file with faults; a value that the controller refused
  3  not found: there is no such device, group, node, limit, hold or token
  4  not allowed: no token, a token that is not known, or a role that may not do it
  5  no controller answers, or it cannot answer now

A message on standard error says what happened and what to do. With -o json standard
output carries JSON alone, and nothing when there is no answer to give.`,
	}
}
