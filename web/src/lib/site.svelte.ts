// The page's one store: who is logged in, the site, its live values, and whether these are
// fresh. It owns the event stream and the polling that stands in for it.

import { ApiError, api } from './api'
import { bounded, type FeedLine } from './feed'
import { SiteClock } from './format'
import { firmLoad, loadColors } from './paint'
import type { CurveView, Decision, LiveView, Session, SiteView } from './types'

export type Link = 'connecting' | 'live' | 'polling' | 'lost'

const feedAsk = 1000 // as many as the controller gives
const feedFlushMs = 500
const arrivedMax = 2000
const pollMs = 3000
const silenceMs = 12_000
const retryMs = [1000, 2000, 4000, 8000, 15_000]

class Store {
  session = $state<Session | null>(null)
  /** Known after the first answer: false shows the login form. */
  ready = $state(false)
  loginNote = $state('')
  site = $state.raw<SiteView | null>(null)
  live = $state.raw<LiveView | null>(null)
  curve = $state.raw<CurveView | null>(null)
  decisions = $state.raw<FeedLine[]>([])
  link = $state<Link>('connecting')
  /** What is wrong with the connection and what to do; empty when nothing is. */
  problem = $state('')
  whyDevice = $state<{ device: string; at?: string } | null>(null)
  limitNode = $state<string | null>(null)

  clock = $derived(new SiteClock(this.site?.timezone ?? 'UTC'))
  colors = $derived(this.site ? loadColors(this.site) : new Map<string, string>())
  names = $derived(new Map<string, string>([
    ...(this.site?.nodes ?? []).map((n): [string, string] => [n.id, n.name || n.id]),
    ...(this.site?.groups ?? []).map((g): [string, string] => [g.id, g.name || g.id]),
    ...(this.site?.tenants ?? []).map((t): [string, string] => [t.id, t.name || t.id]),
    ...(this.site?.gpu_clusters ?? []).flatMap((c): [string, string][] => [[c.id, c.name || c.id], [firmLoad(c.id), `${c.name || c.id}, firm`]]),
  ]))
  mayOperate = $derived(this.session?.role === 'operator' || this.session?.role === 'admin')
  stale = $derived(this.link === 'lost')

  private source: EventSource | null = null
  private retryTimer = 0
  private attempt = 0
  private heard = 0
  private curveBusy = false
  private curvePlan = -1
  private curveAt = 0

  async start(): Promise<void> {
    const token = tokenFromAddress()
    try {
      if (token) await api.login(token)
    } catch (e) {
      this.loginNote = e instanceof ApiError && e.status === 401 ? 'The token in the link is not valid (any more). Enter one below.' : (e as Error).message
    }
    await this.enter()
    // The page lives as long as the tab: this timer is never cleared.
    window.setInterval(() => this.watch(), 1000)
  }

  async login(token: string): Promise<void> {
    await api.login(token)
    this.loginNote = ''
    await this.enter()
  }

  async logout(): Promise<void> {
    try {
      await api.logout()
    } catch (e) {
      // Logging out of a dead controller still clears the screen; the cookie ends by itself.
      this.loginNote = (e as Error).message
    }
    this.leave()
  }

  /** Asks who we are; then loads the site and opens the stream. */
  private async enter(): Promise<void> {
    try {
      this.session = await api.session()
      this.ready = true
      // A tenant's page asks for what is its own; of the site it may see nothing.
      if (this.session.role === 'tenant') return
      await this.load()
    } catch (e) {
      if (e instanceof ApiError && e.status === 401) {
        this.leave()
        return
      }
      this.problem = (e as Error).message
      this.link = 'lost'
      this.schedule(() => void this.enter())
    }
  }

  private async load(): Promise<void> {
    const [site, live, curve, decisions] = await Promise.all([api.site(), api.live(), api.curve().catch(() => null), api.decisions(feedAsk)])
    // An empty list may come as null.
    this.site = { ...site, nodes: site.nodes ?? [], groups: site.groups ?? [], tenants: site.tenants ?? [] }
    this.live = live
    this.curve = curve
    this.arrived = []
    // Numbered from the oldest, as those to come are.
    const from = this.seq + (decisions ?? []).length
    this.decisions = bounded((decisions ?? []).map((d, i) => ({ ...d, seq: from - i })))
    this.seq = from + 1
    this.problem = ''
    this.open()
  }

  /** Back to the login, since it has ended elsewhere. */
  ended = () => {
    this.loginNote = 'Your login has ended. Log in again.'
    this.leave()
  }

  private leave(): void {
    this.close()
    clearTimeout(this.retryTimer)
    this.session = null
    this.site = null
    this.live = null
    this.whyDevice = null
    this.limitNode = null
    this.ready = true
    this.link = 'connecting'
  }

  private close(): void {
    this.source?.close()
    this.source = null
  }

  private open(): void {
    this.close()
    this.heard = Date.now()
    const s = new EventSource(api.eventsURL)
    this.source = s
    s.addEventListener('live', (e) => {
      const v = parse<LiveView>(e.data)
      if (v) this.take(v, 'live')
    })
    s.addEventListener('decision', (e) => {
      const d = parse<Decision>(e.data)
      if (d) this.hear(d)
    })
    s.onopen = () => {
      this.attempt = 0
    }
    s.onerror = () => {
      // The browser would retry by itself, but neither says so nor falls back to polling.
      if (this.source !== s) return
      this.close()
      void this.poll()
      this.schedule(() => void this.reopen())
    }
  }

  private arrived: FeedLine[] = []
  private seq = 0
  /** A wave of commands brings hundreds of decisions at once: they join the list together. */
  private hear(d: Decision): void {
    if (this.arrived.length === 0) {
      setTimeout(() => {
        this.decisions = bounded([...this.arrived, ...this.decisions])
        this.arrived = []
      }, feedFlushMs)
    }
    this.arrived.unshift({ ...d, seq: this.seq++ })
    if (this.arrived.length > arrivedMax) this.arrived.length = arrivedMax
  }

  private take(v: LiveView, link: Link): void {
    this.live = v
    this.link = link
    this.problem = ''
    this.heard = Date.now()
    // A rehearsal's site hour may be fifteen seconds: an old limit beside a new one would puzzle.
    const old = (this.site?.speed ?? 1) >= 60 ? 2000 : 5000
    if (v.plan !== this.curvePlan || Date.now() - this.curveAt > old) void this.refreshCurve(v.plan)
  }

  private async refreshCurve(plan: number): Promise<void> {
    if (this.curveBusy || Date.now() - this.curveAt < 1000) return
    this.curveBusy = true
    try {
      this.curve = await api.curve()
      this.curvePlan = plan
    } catch {
      // The live values say that the link is lost; an old curve carries its own time.
    } finally {
      this.curveBusy = false
      this.curveAt = Date.now()
    }
  }

  /** Gets values without the stream. */
  private async poll(): Promise<void> {
    try {
      this.take(await api.live(), 'polling')
    } catch (e) {
      if (e instanceof ApiError && e.status === 401) {
        this.ended()
        return
      }
      this.link = 'lost'
      this.problem = (e as Error).message
    }
  }

  private async reopen(): Promise<void> {
    if (!this.session) return
    try {
      // What happened meanwhile comes from the list, not from the stream; a restarted
      // controller may have another site file.
      await this.load()
    } catch (e) {
      if (e instanceof ApiError && e.status === 401) {
        await this.poll()
        return
      }
      this.link = 'lost'
      this.problem = (e as Error).message
      this.schedule(() => void this.reopen())
    }
  }

  private schedule(f: () => void): void {
    clearTimeout(this.retryTimer)
    const wait = retryMs[Math.min(this.attempt, retryMs.length - 1)]!
    this.attempt++
    this.retryTimer = window.setTimeout(f, wait)
  }

  private polled = 0
  private watch(): void {
    if (!this.session || !this.site || document.hidden) return
    const now = Date.now()
    // A stream that is open and silent is as bad as a closed one.
    if (this.source && now - this.heard > silenceMs) {
      this.close()
      void this.poll()
      this.schedule(() => void this.reopen())
    }
    if (!this.source && this.link === 'polling' && now - this.polled >= pollMs) {
      this.polled = now
      void this.poll()
    }
  }

  /** The name of a load, node or feed, or the id itself. */
  nameOf(id: string): string {
    const room = /^house:room for (.+)$/.exec(id) // what is kept free for a cluster's rise
    if (room) return `kept for ${this.nameOf(room[1]!)}’s rise`
    const house = /^house:(.+)$/.exec(id) // what a node draws that no known load explains
    if (house) return `${this.nameOf(house[1]!)}, other load`
    return this.names.get(id) ?? id
  }

  /** Whether a subject is a miner: "<group>-<number>". */
  isDevice(subject: string): boolean {
    const m = /^(.+)-(\d+)$/.exec(subject)
    return m != null && (this.site?.groups ?? []).some((g) => g.id === m[1])
  }

  groupOf(device: string): string {
    return device.replace(/-\d+$/, '')
  }
}

function parse<T>(data: unknown): T | null {
  try {
    return JSON.parse(String(data)) as T
  } catch {
    return null
  }
}

/** Takes #token=... and erases it from the address bar and the history at once. */
function tokenFromAddress(): string {
  const m = /^#token=([^&]+)$/.exec(location.hash)
  if (!m) return ''
  history.replaceState(null, '', location.pathname)
  try {
    return decodeURIComponent(m[1]!)
  } catch {
    return m[1]!
  }
}

export const store = new Store()
