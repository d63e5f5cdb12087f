// The JSON views of miners one by one, of rollouts and of what is wrong, as api/fleetview.go
// writes them. A null is unknown, and never zero; an empty list may come as null.

export interface DevicesAsk {
  q: string
  sort: string
  offset: number
  limit: number
}

export interface DevicesView {
  at: string
  total: number
  devices: DeviceRow[] | null
}

export interface DeviceRow {
  id: string
  group: string
  node: string
  rack: string
  position: string
  address: string
  make: string
  model: string
  firmware: string
  serial: string
  mac: string
  state: string
  power_w: number | null
  power_method: string
  power_error_w: number | null
  hashrate_th_s: number | null
  hashrate_percent: number | null
  chip_c: number | null
  uptime_s: number | null
  age_s: number | null
  alerts: string[] | null
  held: string
  maintenance: boolean
}

export interface ProfileView {
  name: string
  power_w: number | null
  hashrate_th_s: number | null
}

export interface BoardView {
  hashrate_th_s: number | null
  chip_c: number | null
  pcb_c: number | null
  chips: number | null
  working: boolean
}

export interface PoolView {
  url: string
  worker: string
  active: boolean
}

export interface DeviceView extends DeviceRow {
  driver: string
  nameplate_w: number | null
  target_w: number | null
  intake_c: number | null
  profile: string
  profiles: ProfileView[] | null
  acts: string[] | null
  style: string
  boards: BoardView[] | null
  fans_rpm: number[] | null
  pools: PoolView[] | null
  faults: string[] | null
  outlet: string
  error: string
  health: HealthAlert[] | null
}

type Row = (number | null)[]

export interface DeviceHistoryView {
  device: string
  t: number[] | null
  power_w: Row | null
  target_w: Row | null
  hashrate_th_s: Row | null
  chip_c: Row | null
  board_c: Row[] | null
}

export type Action = 'reboot' | 'pools' | 'led' | 'password' | 'profile' | 'sleep' | 'wake'

export interface PoolRequest {
  url: string
  worker: string
  password_ref?: string
}

export interface RolloutRequest {
  action: Action
  query?: string
  devices?: string[]
  pools?: PoolRequest[]
  on?: boolean
  password_ref?: string
  profile?: string
  wave?: number
  stop_after?: number
  note?: string
}

export interface SkipCount {
  reason: string
  devices: number
}

export interface PreviewView {
  do: number
  skip: number
  waves: number
  text: string
  why: SkipCount[] | null
  items: RolloutItem[] | null
}

export type ItemState = 'pending' | 'told' | 'confirmed' | 'failed' | 'skipped' | 'unknown'

export interface RolloutItem {
  device: string
  wave: number
  state: ItemState
  reason: string
  at: string | null
}

export interface RolloutView {
  id: number
  action: Action
  text: string
  by: string
  note: string
  begun: string
  ended: string | null
  state: 'running' | 'paused' | 'stopped' | 'done'
  reason: string
  counts: Partial<Record<ItemState, number>> | null
  total: number
  items?: RolloutItem[] | null
  request: RolloutRequest
}

export type Severity = 'info' | 'warning' | 'critical'

export interface HealthAlert {
  id: string
  rule: string
  severity: Severity
  device: string
  group: string
  since: string
  text: string
  todo: string
  silenced: string
}

export interface RepairView {
  device: string
  group: string
  rack: string
  position: string
  address: string
  model: string
  serial: string
  since: string
  seen: HealthAlert[] | null
  lost_usd_day: number | null
}

export interface SilenceRequest {
  query?: string
  rules?: string[]
  for_s?: number
  note: string
  maintenance?: boolean
}

export interface SilenceView {
  id: number
  query: string
  rules: string[] | null
  by: string
  note: string
  from: string
  to: string | null
  maintenance: boolean
  devices: number
}
