// Package study owns an investment study of a site: what each hall is worth under each option, which
// choices fit together, how sure that is, and what waiting is worth.
//
// It never reads the network or a clock and never writes a file: the same study file gives the
// same report on every machine.
//
// Concurrency: Run is safe for concurrent use; its paths go side by side over all cores.
package study
