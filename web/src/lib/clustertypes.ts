// The JSON views of GPU clusters and of tenants, as api/tenancy writes them. A null is unknown,
// and never zero.

import type { Quality } from './types'

export interface TenantName {
  id: string
  name: string
}

export interface TenantEvent {
  kind: 'outage' | 'brown-out' | 'curtailment' | 'maintenance' | 'capped' | 'paused'
  from: string
  /** null: it lasts. */
  to: string | null
  power_w: number | null
  text: string
  counts: boolean
  excluded: string
  ref: string
}

export interface TenantNode {
  cluster: string
  name: string
  model: string
  state: NodeState
  gpus: number
  power_w: number | null
  cap_w: number | null
  full_w: number
  until: string | null
  why: string
}

export interface SLAView {
  month: string
  promised: number
  reached: number | null
  down_s: number
  reduced_s: number
  excluded_s: number
  left_s: number
  credit_usd: number
  text: string
}

export interface TenantView {
  id: string
  name: string
  site: string
  timezone: string
  notice: string
  at: string
  headline: string
  contract: string
  kind: '' | 'colocation' | 'gpu-cloud'
  power_w: number | null
  quality: Quality
  reserved_w: number | null
  allowed_w: number | null
  price_usd_mwh: number | null
  gpus: { model: string; reserved: number; used: number; capped: number }[]
  nodes: TenantNode[]
  effects: TenantEvent[]
  sla: SLAView | null
  curtailments: CurtailmentView[]
}

export interface RightView {
  tenant: string
  name: string
  power_w: number
  notice_s: number
  total_s: number
  left_s: number
  price_usd_mwh: number
  call: 'ask' | 'auto' | 'never'
}

export type CurtailState = 'proposed' | 'called' | 'running' | 'ended' | 'withdrawn'

export interface CurtailmentView {
  id: string
  tenant: string
  name: string
  state: CurtailState
  from: string
  to: string
  power_w: number
  /** null: the tenant's meter does not tell. */
  down_to_w: number | null
  baseline_w: number | null
  price_usd_mwh: number
  told: string | null
  call_by: string | null
  seen: string | null
  withdrawn: string | null
  by: string
  why: string
  consent: string
  /** null: not measured yet. */
  given_w: number | null
  given_kwh: number | null
  text: string
}

export interface CurtailmentsView {
  at: string
  rights: RightView[]
  proposed: CurtailmentView[]
  calls: CurtailmentView[]
}

export interface CurtailRequest {
  tenant: string
  /** Left out: as soon as the right's notice allows. */
  from?: string
  to: string
  /** Left out: all that the right allows. */
  power_w?: number
  why: string
  consent?: string
}

export type JobState = 'pending' | 'running' | 'stopping' | 'paused' | 'frozen' | 'done' | 'failed'
export type ClassKind = 'firm' | 'semi' | 'cap' | 'pause' | 'spot'

interface JobBase {
  id: string
  name: string
  queue: string
  class: string
  state: JobState
  gpus: number
  nodes: string[]
  submitted: string | null
  started: string | null
  saved: string | null
  slowed: number
  paused_s: number
  pause_left_s: number | null
  why: string
}

export interface TenantJob extends JobBase {
  cluster: string
}

export interface ClusterJob extends JobBase {
  account: string
  tenant: string
  tenant_name: string
  kind: ClassKind
  deadline: string | null
  restarts: number
  ours: boolean
  power_w: number | null
}

export interface UsageRow {
  start: string
  critical_kwh: number
  billed_kwh: number
  quality: Quality
  cost_usd: number | null
  wanted_kwh: number
  short_kwh: number
  down_s: number
  reduced_s: number
  peak_w: number
  revision: number
}

export interface UsageView {
  tenant: string
  from: string
  to: string
  length_s: number
  missing: number
  rows: UsageRow[]
}

export interface InvoiceView {
  number: string
  month: string
  issued: string | null
  due: string | null
  total_usd: number
  draft: boolean
  lines: number
}

export interface MoreView {
  from: string
  until: string
  power_w: number
  price_usd_mwh: number | null
  firm: boolean
  why: string
}

export interface AvailabilityView {
  at: string
  poll_s: number
  text: string
  offers: MoreView[]
}

export type NodeState = 'up' | 'fenced' | 'stopping' | 'off' | 'starting' | 'down'

export interface ClusterNode {
  name: string
  model: string
  state: NodeState
  gpus: number
  gpus_used: number
  power_w: number | null
  source: string
  cap_w: number | null
  full_w: number
  lease: string | null
  use: number | null
  temp_c: number | null
  ours: boolean
  held: '' | 'keep' | 'fence'
  jobs: string[]
  note: string
}

export interface ClusterClass {
  name: string
  kind: ClassKind
  queues: string[]
  gpus: number
  jobs: Partial<Record<JobState, number>>
  offered_w: number
}

export interface ClusterEffect {
  id: string
  verb: 'close' | 'cap' | 'pause' | 'drain' | 'fence' | 'off'
  target: string
  text: string
  since: string
  plan: number
  why: string
  state: 'asked' | 'acknowledged' | 'seen' | 'late' | 'refused' | 'undoing'
  power_w: number | null
  deadline: string | null
  next: string
}

export interface ClusterBlock {
  what: string
  class: 'firm' | 'flexible' | 'fixed'
  power_w: number
  award_w: number
  value_usd_mwh: number
}

export interface ClusterView {
  id: string
  name: string
  node: string
  engine: string
  at: string | null
  reachable: boolean
  error: string
  headline: string
  power_w: number | null
  quality: Quality
  award_w: number | null
  nameplate_w: number
  firm_w: number
  limit_w: number | null
  reason: string
  gpus: number
  gpus_used: number
  nodes: ClusterNode[]
  classes: ClusterClass[]
  effects: ClusterEffect[]
  blocks: ClusterBlock[]
  queues: { name: string; class: string; open: boolean; ours: boolean; gpus: number; gpus_borrowed: number }[]
  notes: string[]
}
