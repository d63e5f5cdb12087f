// The views of the hours ahead, as api/aheadview.go writes them. A null is unknown, and never zero.

export type Row = (number | null)[]

export interface StepView {
  start: string
  length_s: number
  price_usd_mwh: number | null
  coincident_usd_mwh: number | null
  marginal_usd_mwh: number | null
  block_w: number
  site_w: number | null
  cap_w: number | null
}

export interface LoadPlanView {
  load: string
  name: string
  kind: string
  node: string
  rest_w: number
  most_w: number
  power_w: Row
  keep_usd_mwh: Row
  take_usd_mwh: Row
  curtailed_w: Row
  short_w: Row
  late_mwh: number | null
  by: string | null
}

export interface ReservePlanned {
  name: string
  held_w: Row
  short_w: Row
  price_usd_mw: Row
}

export interface PastStep {
  start: string
  length_s: number
  site_w: number | null
  price_usd_mwh: number | null
}

export interface ScheduleView {
  at: string
  followed: boolean
  why_not: string
  method: string
  made_at: string | null
  age_s: number | null
  every_s: number
  profit_usd: number | null
  bound_usd: number | null
  gap: number | null
  notes: string[]
  steps: StepView[]
  loads: LoadPlanView[]
  reserves: ReservePlanned[]
  past: PastStep[]
}

export interface SourceView {
  name: string
  protocol: string
  address: string
  state: string
  heard_at: string | null
  problem: string
  problem_at: string | null
  lost_after_s: number
  lost: string
}

export interface SignalView {
  key: string
  id: string
  source: string
  kind: string
  node: string
  power_w: number | null
  price_usd: number | null
  within_s: number | null
  for_s: number | null
  ramp_w_min: number | null
  from: string
  to: string | null
  priority: number
  emergency: boolean
  note: string
  in_force: boolean
  overruled_by: string
  overruled_why: string
}

export interface Refusal {
  at: string
  source: string
  text: string
}

export interface SignalsView {
  at: string
  sources: SourceView[]
  signals: SignalView[]
  refused: Refusal[]
}

export interface ForecastStep {
  start: string
  length_s: number
  day_ahead_usd_mwh: number | null
  p10_usd_mwh: number | null
  p50_usd_mwh: number | null
  p90_usd_mwh: number | null
  peak_chance: number | null
}

export interface ForecastView {
  at: string
  made_at: string | null
  source: string
  notes: string[]
  steps: ForecastStep[]
}
