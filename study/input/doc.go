// Package input owns the study file: its words, its checks, its defaults and where each figure
// comes from.
//
// It never computes what a study says; it never fills a figure in silently: each default is an
// assumption with its source, listed beside the owner's own figures.
//
// Concurrency: a File is immutable once loaded; all functions are safe for concurrent use.
package input
