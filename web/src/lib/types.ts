// The JSON views of the controller's API, as api/view.go writes them. A null is unknown, and
// never zero.

export type Role = 'tenant' | 'viewer' | 'operator' | 'admin'

export interface Session {
  role: Role
  name: string
  /** Whose page is shown, with the role tenant. */
  tenant?: string
}

export interface NodeInfo {
  id: string
  name: string
  parent: string
  limit_w: number | null
  has_meter: boolean
}

export interface GroupInfo {
  id: string
  name: string
  node: string
  model: string
  driver: string
  devices: number
  nameplate_w: number
  style: string
}

export interface TenantInfo {
  id: string
  name: string
  node: string
  firm_w: number
  rate_usd_kw_month: number
  availability: number
}

export interface SiteView {
  name: string
  timezone: string
  notice: string
  speed: number
  nodes: NodeInfo[]
  groups: GroupInfo[]
  tenants: TenantInfo[]
  role: Role
  /** There are a schedule, signals and a forecast to ask for. */
  ahead?: boolean
  /** There are GPU clusters. */
  clusters?: boolean
  /** There are investment studies to ask for. */
  studies?: boolean
  /** There are rights to take power back from tenants to ask for. */
  curtailments?: boolean
  gpu_clusters?: ClusterInfo[]
}

/** A GPU cluster as the first screen shows it; its own page has more. */
export interface ClusterInfo {
  id: string
  name: string
  node: string
  gpus: number
  nameplate_w: number
}

export interface ClusterLive {
  id: string
  power_w: number | null
  award_w: number | null
  firm_w: number | null
  gpus_used: number | null
  reachable: boolean
  /** A few words: "nothing held back", "6 jobs paused". */
  stage: string
  /** Why it is held back; empty where it is not. */
  reason: string
}

export type Quality = 'measured' | 'estimated' | 'missing'

export interface NodeLive {
  id: string
  power_w: number | null
  est_w: number
  limit_w: number | null
  quality: Quality
  age_s: number | null
  binding: boolean
  over_for_s: number
}

export interface GroupLive {
  id: string
  power_w: number
  award_w: number
  fixed_w: number
  hashrate_ph_s: number
  breakeven_usd_mwh: number | null
  earn_usd_hour: number | null
  reason: string
  reason_code: string
  states: Record<string, number> | null
  efficiency_j_th: number | null
}

export interface TenantLive {
  id: string
  power_w: number | null
  reserve_w: number
  firm_w: number
  shed_w: number
  reason: string
}

export interface LimitView {
  id: string
  node: string
  power_w: number
  from: string
  to: string | null
  by: string
  note: string
  active: boolean
  manual: boolean
}

export interface Alert {
  since: string
  severity: 'warning' | 'critical'
  subject: string
  text: string
}

export interface LiveView {
  at: string
  plan: number
  speed_held: number
  price_usd_mwh: number | null
  price_stale: boolean
  price_source: string
  hashprice_usd_ph_day: number | null
  marginal_usd_mwh: number | null
  profit_usd_hour: number | null
  profit_usd_day: number | null
  headline: string
  mode: string
  nodes: NodeLive[] | null
  groups: GroupLive[] | null
  tenants: TenantLive[] | null
  gpu_clusters?: ClusterLive[]
  limits: LimitView[] | null
  alerts: Alert[] | null
}

export interface CurveBlock {
  load: string
  class: string
  power_w: number
  award_w: number
  value_usd_mwh: number
  reason: string
}

export interface CurveView {
  at: string
  price_usd_mwh: number | null
  cap_w: number | null
  cleared_w: number
  blocks: CurveBlock[] | null
}

export interface HistorySeries {
  key: string
  values: (number | null)[]
}

export interface HistoryView {
  step_s: number
  times: number[] | null
  series: HistorySeries[] | null
}

export interface Cell {
  device: string
  address: string
  state: string
  power_w: number | null
  hashrate_th_s: number | null
  temp_c: number | null
  held: boolean
  note: string
}

export interface MapView {
  group: string
  cells: Cell[] | null
}

export interface Decision {
  at: string
  plan: number
  subject: string
  kind: string
  code: string
  text: string
}

export interface WhyStep {
  at: string | null
  kind: string
  text: string
}

export interface WhyView {
  device: string
  at: string
  answer: string
  steps: WhyStep[] | null
}

export interface LimitRequest {
  node: string
  power_w: number
  for_s: number
  note?: string
}

export interface HoldRequest {
  devices: string[]
  mode: 'run' | 'sleep'
  note?: string
}

export interface ReportLine {
  hall: string
  energy_mwh: number
  mining_usd: number
  hosting_usd: number
  energy_usd: number
  penalty_usd: number
  profit_usd: number
  profit_usd_mwh: number
  quality: string
}

export interface ReportLoss {
  node: string
  energy_mwh: number
}

export interface ReportView {
  date: string
  complete: boolean
  energy_mwh: number
  halls: ReportLine[] | null
  losses?: ReportLoss[] | null
  remainder_mwh: number
  remainder_percent: number
  cost_usd: number
  revenue_usd: number
  profit_usd: number
  text: string
}
