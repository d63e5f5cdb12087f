package input

import (
	"regexp"
	"slices"
	"strings"

	"switchyard/strictyaml"
	"switchyard/study/figure"
	"switchyard/unit"
)

// bounded says that no list is longer than a study may hold; nothing else is looked at if one is.
func (l *loader) bounded() bool {
	f, sound := l.f, true
	bound := func(path string, n, most int) {
		if n > most {
			l.fault(path, "", "there are %d items, more than the %d allowed", n, most)
			sound = false
		}
	}
	bound("halls", len(f.Halls), 32)
	bound("leases", len(f.Leases), 32)
	bound("gpu_clouds", len(f.Clouds), 32)
	bound("sales", len(f.Sales), 32)
	bound("greenfields", len(f.Greenfields), 32)
	bound("financings", len(f.Financings), 32)
	bound("options", len(f.Options), 24)
	bound("scenarios", len(f.Scenarios), 24)
	bound("site.ramp", len(f.Site.Ramp), 60)
	bound("power.blocks", len(f.Power.Blocks), 24)
	bound("bitcoin.forward", len(f.Bitcoin.Forward), 480)
	for i, h := range f.Halls {
		bound(at("halls", i)+"fleet", len(h.Fleet), 32)
		for j, m := range h.Fleet {
			bound(at(at("halls", i)+"fleet", j)+"curve", len(m.Curve), 12)
		}
	}
	for i, s := range f.Leases {
		bound(at("leases", i)+"ramp", len(s.Ramp), 60)
		bound(at("leases", i)+"default", len(s.Default), 40)
		bound(at("leases", i)+"extensions", len(s.Extensions), 10)
	}
	return sound
}

// check says all that would make the study senseless.
func (l *loader) check() {
	f := l.f
	if l.need("study", "name the study") && strings.TrimSpace(f.Study) == "" {
		l.fault("study", "name the study", "the name is empty")
	}
	l.need("start", `write the first month, like "2027-01"`)
	if l.need("years", "write how many, from 1 to 40") && (f.Years < 1 || f.Years > 40) {
		l.fault("years", "it can be from 1 to 40", "%d years are out of range", f.Years)
	}
	within(l, "discount", f.Discount, 0, 0.5)
	within(l, "equity_discount", f.Equity, 0, 0.5)
	within(l, "inflation", f.Inflation, -0.05, 0.2)
	if f.Paths < 0 || f.Paths > 200_000 {
		l.fault("paths", "it can be from 0, the expected case alone, to 200000", "%d paths are out of range", f.Paths)
	}
	l.checkSite()
	l.checkHalls()
	l.checkTariff()
	l.checkBitcoin()
	l.checkLeases()
	l.checkClouds()
	l.checkSales()
	l.checkGreenfields()
	l.checkFinancings()
	l.checkTax()
	l.checkOptions()
	within(l, "limits.capex", f.Limits.Capex, 0, 1e12)
	within(l, "limits.equity", f.Limits.Equity, 0, 1e12)
	within(l, "limits.crew", f.Limits.Crew, 0, maxPower)
	if f.Limits.Halls < 0 {
		l.fault("limits.halls_at_once", "write how many halls may be built at one time, or leave it out", "%d is below zero", f.Limits.Halls)
	}
	l.checkScenarios()
	l.checkHorizon()
}

const maxPower = 5000 * unit.Megawatt

// need says that the key must be there; false if it is not, or has a fault already.
func (l *loader) need(path, suggestion string) bool {
	if !l.doc.Has(path) {
		l.fault(path, suggestion, "%s is missing", path[strings.LastIndexByte(path, '.')+1:])
		return false
	}
	return !l.doc.Faulty(path)
}

// sound says that a figure is there and was read.
func sound[T any](l *loader, path string, f *figure.Figure[T]) bool {
	return f != nil && !l.doc.Faulty(path)
}

type quantity interface{ ~int | ~int64 | ~float64 }

// within says that a figure, where there is one, must lie in the closed range.
func within[T quantity](l *loader, path string, f *figure.Figure[T], low, high T) {
	if f != nil {
		between(l, path, f.Is, low, high)
	}
}

func between[T quantity](l *loader, path string, v, low, high T) {
	if v < low || v > high {
		l.fault(path, "it can be from "+printed(low)+" to "+printed(high), "%s is out of range", printed(v))
	}
}

// positive is within for what must be more than nothing.
func positive[T quantity](l *loader, path string, f *figure.Figure[T], high T) {
	if f != nil && (f.Is <= 0 || f.Is > high) {
		l.fault(path, "it can be above zero and to "+printed(high), "%s is out of range", printed(f.Is))
	}
}

// spread says that a spread's three figures must lie in the range and in their order.
func spread[T quantity](l *loader, path string, s *figure.Spread[T], low, high T) {
	if s == nil {
		return
	}
	between(l, path, s.P50, low, high)
	if s.Certain() {
		return
	}
	const right = "write both p10 and p90, or neither"
	switch {
	case s.P10 == nil:
		l.fault(path+".p90", right, "there is a p90 and no p10")
	case s.P90 == nil:
		l.fault(path+".p10", right, "there is a p10 and no p90")
	case *s.P10 > s.P50 || s.P50 > *s.P90:
		l.fault(path, "nine in ten cases lie above p10, half above p50, one in ten above p90", "p10 %s, p50 %s and p90 %s do not rise", printed(*s.P10), printed(s.P50), printed(*s.P90))
	default:
		between(l, path+".p10", *s.P10, low, high)
		between(l, path+".p90", *s.P90, low, high)
	}
}

func (l *loader) oneOf(path, what, value string, allowed ...string) bool {
	if slices.Contains(allowed, value) {
		return true
	}
	l.fault(path, strictyaml.Suggest(value, allowed), "unknown %s %q", what, value)
	return false
}

// known says that a name must be one of those that the file gives to such things.
func (l *loader) known(path, what, id string, ids []string) bool {
	switch {
	case slices.Contains(ids, id):
		return true
	case len(ids) == 0:
		l.fault(path, "", "there is no %s %q: the file holds none", what, id)
	default:
		l.fault(path, strictyaml.Suggest(id, ids), "there is no %s %q", what, id)
	}
	return false
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,47}$`)

// ids says that all of a list must have ids that differ.
func ids[T any](l *loader, list string, all []T, id func(*T) string) []string {
	var seen []string
	for i := range all {
		p, s := at(list, i)+"id", id(&all[i])
		switch first := slices.Index(seen, s); {
		case s == "" && !l.doc.Has(p):
			l.need(p, `name it, with letters, digits, "-", "_" and "."`)
		case !idForm.MatchString(s):
			l.fault(p, `use at most 48 letters, digits, "-", "_" and "."`, "%q cannot be an id", s)
		case first >= 0:
			l.fault(p, "give each a name of its own", "%q stands twice, first as %s[%d]", s, list, first)
		}
		seen = append(seen, s)
	}
	return seen
}

// inside says that a month that is written must lie in the study.
func (l *loader) inside(path string, m figure.Month) bool {
	f := l.f
	if l.doc.Faulty(path) || l.doc.Faulty("start") || f.Years < 1 || f.Start == 0 || m >= f.Start && m < f.End() {
		return true
	}
	l.fault(path, "the study goes from "+f.Start.String()+" to "+(f.End()-1).String(), "%s lies outside the study", m)
	return false
}

// insideEnd is inside for what may have begun before the study.
func (l *loader) insideEnd(path string, m figure.Month) {
	if m >= l.f.Start {
		l.inside(path, m)
	}
}
