package study

import "switchyard/study/report"

// What a study says; package report has what each is.
type (
	Dist           = report.Dist
	Report         = report.Report
	Finding        = report.Finding
	Rate           = report.Rate
	Option         = report.Option
	Breakeven      = report.Breakeven
	Root           = report.Root
	Year           = report.Year
	Timing         = report.Timing
	Fan            = report.Fan
	Choice         = report.Choice
	Portfolio      = report.Portfolio
	Monthly        = report.Monthly
	Bin            = report.Bin
	Flexible       = report.Flexible
	Exercise       = report.Exercise
	Bar            = report.Bar
	Scenario       = report.Scenario
	ScenarioOption = report.ScenarioOption
	Regret         = report.Regret
	World          = report.World
	Sector         = report.Sector
	Deal           = report.Deal
	Energy         = report.Energy
)
