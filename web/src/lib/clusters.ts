// What is read off a cluster's views: words for states, what a node looks like, which jobs a
// person would look at first. Nothing here asks the controller.

import type { ClassKind, ClusterEffect, ClusterJob, ClusterNode, ClusterView, JobState, TenantEvent, UsageView } from './clustertypes'
import { duration, num } from './format'

export type NodeLook = 'full' | 'capped' | 'deep' | 'idle' | 'fenced' | 'off' | 'moving' | 'down'

export interface NodeKind {
  look: NodeLook
  label: string
  color: string
  meaning: string
}

export const looks: NodeKind[] = [
  { look: 'full', label: 'At work', color: '--s-hashing', meaning: 'runs jobs, not held back' },
  { look: 'capped', label: 'Capped', color: '--s-moving', meaning: 'its GPUs are held below full power, to two thirds or more' },
  { look: 'deep', label: 'Capped hard', color: '--s-quarantine', meaning: 'held below two thirds of full power' },
  { look: 'idle', label: 'Idle', color: '--s-sleeping', meaning: 'awake, no GPU in use' },
  { look: 'fenced', label: 'Fenced', color: '--s-held', meaning: 'runs what it runs and takes nothing new' },
  { look: 'moving', label: 'Stopping or starting', color: '--s-moving', meaning: 'on its way to off, or booting' },
  { look: 'off', label: 'Off', color: '--s-sleeping', meaning: 'without power, by our order' },
  { look: 'down', label: 'Down', color: '--s-fault', meaning: 'does not answer its engine' },
]
const byLook = new Map(looks.map((l) => [l.look, l]))

/** The share of full power that a node's GPUs may draw. */
export const share = (n: ClusterNode) => (n.cap_w == null || n.full_w <= 0 ? 1 : Math.max(0, Math.min(1, n.cap_w / n.full_w)))

export function lookOf(n: ClusterNode): NodeKind {
  const pick = (l: NodeLook) => byLook.get(l)!
  if (n.state === 'down') return pick('down')
  if (n.state === 'off') return pick('off')
  if (n.state === 'stopping' || n.state === 'starting') return pick('moving')
  if (n.state === 'fenced') return pick('fenced')
  if (n.gpus_used === 0) return pick('idle')
  const s = share(n)
  return pick(s >= 0.995 ? 'full' : s >= 0.66 ? 'capped' : 'deep')
}

export const kindWords: Record<ClassKind, string> = {
  firm: 'never yields, but by contract',
  semi: 'a part of it is firm',
  cap: 'may be slowed, never paused',
  pause: 'may be slowed and paused',
  spot: 'may be stopped at any time',
}

export const jobWords: Record<JobState, string> = {
  pending: 'Waiting',
  running: 'Running',
  stopping: 'Stopping',
  paused: 'Paused',
  frozen: 'Frozen',
  done: 'Done',
  failed: 'Failed',
}

export const effectWords: Record<ClusterEffect['state'], { word: string; level: '' | 'warning' | 'critical'; hint: string }> = {
  asked: { word: 'Asked', level: '', hint: 'told, and not answered yet' },
  acknowledged: { word: 'Acknowledged', level: '', hint: 'accepted; the meter does not show it yet' },
  seen: { word: 'Seen', level: '', hint: 'the meter shows it' },
  late: { word: 'Late', level: 'critical', hint: 'the meter did not show it in time' },
  refused: { word: 'Refused', level: 'critical', hint: 'the engine will not do it' },
  undoing: { word: 'Taken back', level: '', hint: 'on its way back to what it was' },
}

export const eventWords: Record<TenantEvent['kind'], string> = {
  outage: 'No power',
  'brown-out': 'Less power',
  curtailment: 'Curtailed',
  maintenance: 'Maintenance',
  capped: 'Slowed',
  paused: 'Paused',
}

/** How long ago a job saved its work, and how much would be lost now. */
export function savedAgo(j: { saved: string | null; state: JobState; started: string | null }, now: number): string {
  if (j.state === 'pending' || j.state === 'done' || j.state === 'failed') return ''
  if (j.saved == null) return 'not known'
  return `${duration(Math.max(0, (now - Date.parse(j.saved)) / 1000))} ago`
}

const order: JobState[] = ['stopping', 'paused', 'frozen', 'running', 'pending', 'failed', 'done']

/** Held back first, then what runs, the largest first. */
export function ordered<T extends { state: JobState; slowed: number; gpus: number; id: string }>(jobs: T[]): T[] {
  const rank = (j: T) => order.indexOf(j.state) * 2 - (j.slowed > 0 ? 1 : 0)
  return [...jobs].sort((a, b) => rank(a) - rank(b) || b.gpus - a.gpus || a.id.localeCompare(b.id))
}

export type JobFilter = 'all' | 'held' | 'running' | 'waiting'
export const heldBack = (j: { state: JobState; slowed: number }) => j.state === 'paused' || j.state === 'stopping' || j.state === 'frozen' || j.slowed > 0

export function filtered<T extends ClusterJob>(jobs: T[], f: JobFilter): T[] {
  switch (f) {
    case 'held':
      return jobs.filter(heldBack)
    case 'running':
      return jobs.filter((j) => j.state === 'running')
    case 'waiting':
      return jobs.filter((j) => j.state === 'pending')
  }
  return jobs
}

/** What is told of a node in one line. */
export function nodeLine(n: ClusterNode): string {
  const cap = n.cap_w == null ? 'not capped' : `capped to ${num(n.cap_w)} of ${num(n.full_w)} W a GPU`
  return `${lookOf(n).label.toLowerCase()}, ${n.gpus_used} of ${n.gpus} GPUs in use, ${cap}`
}

/** Effects that are alike, told as one: the same act for the same reason, in the same state. */
export interface EffectGroup {
  key: string
  text: string
  level: '' | 'warning' | 'critical'
  state: ClusterEffect['state']
  why: string
  /** The reason stands above already. */
  again: boolean
  power_w: number | null
  since: string
  members: ClusterEffect[]
}

const plural: Record<ClusterEffect['verb'], string> = {
  close: 'queues start nothing new',
  cap: 'nodes are held below full power',
  pause: 'jobs are paused',
  drain: 'queues are emptied',
  fence: 'nodes take nothing new',
  off: 'nodes are switched off',
}

/** What needs a person first, then the newest; what is on its way stays single. */
export function grouped(effects: ClusterEffect[]): EffectGroup[] {
  const m = new Map<string, EffectGroup>()
  for (const e of effects) {
    const alone = e.state !== 'seen'
    const key = alone ? e.id : `${e.verb} ${e.why}`
    const g = m.get(key)
    if (g) {
      g.members.push(e)
      g.power_w = g.power_w == null || e.power_w == null ? null : g.power_w + e.power_w
      if (e.since < g.since) g.since = e.since
    } else m.set(key, { key, text: e.text, level: effectWords[e.state].level, state: e.state, why: e.why, again: false, power_w: e.power_w, since: e.since, members: [e] })
  }
  const list = [...m.values()].sort((a, b) => Number(b.level === 'critical') - Number(a.level === 'critical'))
  list.forEach((g, i) => {
    if (g.members.length > 1) g.text = `${g.members.length} ${plural[g.members[0]!.verb]}`
    g.again = i > 0 && list[i - 1]!.why === g.why
  })
  return list
}

/** How many nodes look how, those that there are. */
export function tally(v: ClusterView): { kind: NodeKind; n: number }[] {
  const count = new Map<NodeLook, number>()
  for (const n of v.nodes) {
    const l = lookOf(n).look
    count.set(l, (count.get(l) ?? 0) + 1)
  }
  return looks.map((kind) => ({ kind, n: count.get(kind.look) ?? 0 })).filter((t) => t.n > 0)
}

/** A tenant's mean power by interval, kW; what is missing is a gap. */
export function powerOf(u: UsageView): { times: number[]; drawn: (number | null)[]; wanted: (number | null)[] } {
  const hours = u.length_s / 3600
  const kw = (kwh: number) => kwh / hours
  const times: number[] = []
  const drawn: (number | null)[] = []
  const wanted: (number | null)[] = []
  let next = 0
  for (const r of u.rows) {
    const at = Date.parse(r.start) / 1000
    if (next > 0 && at > next) {
      times.push(next)
      drawn.push(null)
      wanted.push(null)
    }
    times.push(at)
    drawn.push(r.quality === 'missing' ? null : kw(r.critical_kwh))
    wanted.push(r.quality === 'missing' || r.wanted_kwh <= r.critical_kwh ? null : kw(r.wanted_kwh))
    next = at + u.length_s
  }
  if (next > 0) {
    // The last interval is drawn to its end.
    times.push(next)
    drawn.push(drawn.at(-1)!)
    wanted.push(wanted.at(-1)!)
  }
  return { times, drawn, wanted }
}

/** "99.95 %", with as many digits as it takes to tell it from 100 %. */
export function percent(v: number | null): string {
  if (v == null) return '–'
  const p = v * 100
  if (p === 100) return '100 %'
  const digits = p > 99.99 ? 4 : p > 99.9 ? 3 : 2
  // Cut and not rounded: 99.9996 % must not pass for more than it is.
  const cut = Math.floor(p * 10 ** digits + 1e-6) / 10 ** digits
  return `${cut} %`
}

/** "October 2026" of "2026-10". */
export function monthName(m: string): string {
  const [y, n] = m.split('-').map(Number)
  if (!y || !n) return m
  return new Intl.DateTimeFormat('en-GB', { month: 'long', year: 'numeric', timeZone: 'UTC' }).format(Date.UTC(y, n - 1, 1))
}
