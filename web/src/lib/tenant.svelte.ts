// One tenant's own page: its view by a stream or, where that is cut, by asking; the rest asked
// now and then. It asks for nothing that is not the tenant's.

import { api } from './api'
import { Asked } from './ask.svelte'
import type { AvailabilityView, InvoiceView, TenantEvent, TenantJob, TenantView, UsageView } from './clustertypes'
import { SiteClock } from './format'
import type { Link } from './site.svelte'

const pollMs = 3000
const slowMs = 15_000
const retryMs = [1000, 2000, 4000, 8000, 15_000]

export class TenantPage {
  view = $state.raw<TenantView | null>(null)
  more = $state.raw<AvailabilityView | null>(null)
  /** When a curtailment was seen, by its id, as the answers to us said. */
  seen = $state.raw<Record<string, string>>({})
  link = $state<Link>('connecting')
  problem = $state('')
  readonly usage = new Asked<UsageView>()
  readonly events = new Asked<TenantEvent[]>()
  readonly jobs = new Asked<TenantJob[]>()
  readonly invoices = new Asked<InvoiceView[]>()
  clock = $derived(new SiteClock(this.view?.timezone ?? 'UTC'))
  now = $derived(this.view ? Date.parse(this.view.at) : 0)

  private source: EventSource | null = null
  private attempt = 0
  private timers: number[] = []
  private retry = 0

  /** whose: a tenant's id, for those who run the site; empty: one's own. gone: the login has ended. */
  constructor(
    readonly whose: string,
    private readonly gone: () => void,
  ) {}

  /** Asks until it is told to end. */
  watch(): () => void {
    this.open()
    void this.poll()
    this.slow()
    this.timers = [window.setInterval(() => !this.source && !document.hidden && void this.poll(), pollMs), window.setInterval(() => this.slow(), slowMs)]
    return () => {
      this.close()
      clearTimeout(this.retry)
      this.timers.forEach((t) => clearInterval(t))
      for (const a of [this.usage, this.events, this.jobs, this.invoices]) a.drop()
    }
  }

  /** Says that a curtailment was seen; what is told of it may come later than the answer. */
  async acknowledge(id: string): Promise<void> {
    const c = await api.acknowledge(id)
    if (c.seen) this.seen = { ...this.seen, [id]: c.seen }
  }

  private slow(): void {
    if (this.link === 'lost') return
    void this.usage.renew((s) => api.tenantUsage(this.whose, s))
    void this.events.renew(async (s) => (await api.tenantEvents(this.whose, s)) ?? [])
    void this.jobs.renew(async (s) => (await api.tenantJobs(this.whose, s)) ?? [])
    void this.invoices.renew(async (s) => (await api.tenantInvoices(this.whose, s)) ?? [])
  }

  private open(): void {
    this.close()
    const s = new EventSource(api.tenantFeedURL(this.whose))
    this.source = s
    s.addEventListener('tenant', (e) => this.take(e.data, (v: TenantView) => (this.view = v)))
    s.addEventListener('availability', (e) => this.take(e.data, (v: AvailabilityView) => (this.more = v)))
    s.onopen = () => (this.attempt = 0)
    s.onerror = () => {
      if (this.source !== s) return
      this.close()
      void this.poll()
      this.retry = window.setTimeout(() => this.open(), retryMs[Math.min(this.attempt++, retryMs.length - 1)])
    }
  }

  private take<T>(data: unknown, keep: (v: T) => void): void {
    try {
      keep(JSON.parse(String(data)) as T)
      this.link = 'live'
      this.problem = ''
    } catch {
      // Half a message of a stream that is cut; the next one is whole.
    }
  }

  private async poll(): Promise<void> {
    try {
      const [v, more] = await Promise.all([api.tenant(this.whose), api.availability(this.whose)])
      this.view = v
      this.more = more
      this.problem = ''
      if (!this.source) this.link = 'polling'
    } catch (e) {
      const status = (e as { status?: number }).status
      if (status === 401) {
        this.gone()
        return
      }
      this.problem = (e as Error).message
      if (!this.source) this.link = 'lost'
    }
  }

  private close(): void {
    this.source?.close()
    this.source = null
  }
}
