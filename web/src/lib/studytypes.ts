// The views of investment studies, as api/studies writes them, and what the page reads of a
// report. A null is unknown, and never zero.

export interface Spread {
  mean: number
  p10: number
  p90: number
}

export interface StudyBest {
  hall: string
  title: string
  npv_usd: Spread
  npv_over_mining_usd: number
}

export interface StudyView {
  id: string
  name: string
  site: string
  note: string
  by: string
  asked: string
  state: 'waiting' | 'running' | 'interrupted' | 'done' | 'failed'
  stage: string
  done: number
  total: number
  error: string
  interrupted: number
  took_s: number
  start: string
  months: number
  paths: number
  seed: number
  npv_usd: Spread | null
  npv_mining_on_usd: Spread | null
  best: StudyBest[]
  findings: number
  assumed: number
  workbook: boolean
}

export interface StudyRequest {
  name: string
  text: string
  files?: Record<string, string>
}

/** One thing wrong in a file: where it stands, and what would be right. */
export interface FileFault {
  message: string
  location: string
}

export interface Rate {
  pct: number | null
  none?: string
}

export interface StudyOption {
  hall: string
  name: string
  kind: string
  title: string
  npv_usd: Spread
  npv_over_mining_usd: Spread
  npv_expected_usd: number
  beats_mining: number
  loses: number
  project_irr: number | null
  equity_irr: number | null
  no_irr?: string
  min_dscr: number | null // before tax
  min_dscr_after_tax?: number | null // reports of earlier versions have none
  payback_months: number | null
  debt_usd: number
  capex_usd: number
  peak_equity_usd: number
  critical_mw: number
}

export interface StudyChoice {
  hall: string
  option: string
  title: string
  start: string
  npv_usd: Spread
  npv_over_mining_usd: number
  alone?: string
}

export interface StudyFinding {
  hall?: string
  option?: string
  kind: string
  month?: string
  text: string
}

/** The part of a report that the page draws; the report for people has the rest. */
export interface StudyReport {
  study: string
  file?: string
  site: string
  note?: string
  start: string
  months: number
  seed: number
  paths: number
  version: string
  discount_pct: number
  equity_discount_pct: number
  utility_mw: number
  given: { from: string }[] | null
  assumed: { path: string }[] | null
  findings: StudyFinding[] | null
  options: StudyOption[] | null
  best: StudyChoice[] | null
  portfolio: {
    npv_usd: Spread
    npv_mining_on_usd: Spread
    equity_irr: Rate
    project_irr: Rate
    peak_equity_usd: number
    debt_usd: number
    capex_usd: number
    min_dscr: number | null // of the site, before tax
    min_dscr_after_tax?: number | null
    npv_expected_usd?: number
    bound_by: string[] | null
  }
  flexible: { hall: string; option_value_usd: number; option_error_usd: number; plan: string; fixed_plan_is_best: boolean; today: string }[] | null
  tornado: { input: string; low: string; high: string; npv_low_usd: number; npv_high_usd: number }[] | null
}
