// Calls to the controller's API: one deadline, one error type that says what to do.

import type { AvailabilityView, ClusterJob, ClusterView, CurtailmentsView, CurtailmentView, CurtailRequest, InvoiceView, TenantEvent, TenantJob, TenantName, TenantView, UsageView } from './clustertypes'
import type { ForecastView, ScheduleView, SignalsView } from './aheadtypes'
import type {
  DeviceHistoryView,
  DevicesAsk,
  DevicesView,
  DeviceView,
  HealthAlert,
  PreviewView,
  RepairView,
  RolloutRequest,
  RolloutView,
  SilenceRequest,
  SilenceView,
} from './fleet'
import type { FileFault, StudyReport, StudyRequest, StudyView } from './studytypes'
import type {
  CurveView,
  Decision,
  HistoryView,
  HoldRequest,
  LimitRequest,
  LiveView,
  MapView,
  ReportView,
  Session,
  SiteView,
  WhyView,
} from './types'

const base = '/api/v1'
const deadlineMs = 10_000

/** A call that did not succeed. status 0: the controller did not answer. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** What is wrong in a file that was sent. */
    readonly faults: FileFault[] = [],
  ) {
    super(message)
  }
}

function advice(status: number, detail: string): string {
  switch (status) {
    case 401:
      return 'You are not logged in, or the login has ended. Log in again.'
    case 403:
      return detail || 'Your role may not do this. Ask for an operator token.'
    case 404:
      return detail || 'The controller does not know this. Reload the page if the site file has changed.'
    case 429:
      return 'Too many requests. Wait a few seconds and try again.'
  }
  if (status >= 500) return `${detail || 'The controller could not do this'} (${status}). Its log says why.`
  return detail || `The controller refused this (${status}).`
}

async function detailOf(r: Response): Promise<{ text: string; faults: FileFault[] }> {
  try {
    const body = (await r.json()) as { detail?: string; title?: string; error?: string; errors?: { message?: string; location?: string }[] }
    const faults = (body.errors ?? []).map((e) => ({ message: e.message ?? '', location: e.location ?? '' })).filter((e) => e.message !== '')
    return { text: [body.detail ?? body.error ?? body.title ?? '', ...faults.map((e) => e.message)].filter(Boolean).join(': '), faults }
  } catch {
    return { text: '', faults: [] }
  }
}

async function call<T>(method: string, path: string, body?: unknown, stop?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (method !== 'GET') headers['X-Switchyard'] = '1'
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  let r: Response
  const deadline = AbortSignal.timeout(deadlineMs)
  try {
    r = await fetch(base + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: stop ? AbortSignal.any([stop, deadline]) : deadline,
      credentials: 'same-origin',
      cache: 'no-store',
    })
  } catch {
    throw new ApiError(0, 'The controller does not answer. Check that it runs and that this machine reaches it.')
  }
  if (!r.ok) {
    const { text, faults } = await detailOf(r)
    throw new ApiError(r.status, advice(r.status, text), faults)
  }
  if (r.status === 204) return undefined as T
  const text = await r.text()
  if (text === '') return undefined as T
  try {
    return JSON.parse(text) as T
  } catch {
    throw new ApiError(0, 'The answer is not from a Switchyard controller. Check the address.')
  }
}

const q = encodeURIComponent
/** Whose, for those who may look at any tenant. */
const of = (tenant: string, more = '') => {
  const p = [tenant && `tenant=${q(tenant)}`, more].filter(Boolean).join('&')
  return p && `?${p}`
}

export const api = {
  session: () => call<Session>('GET', '/session'),
  login: (token: string) => call<Session | undefined>('POST', '/session', { token }),
  logout: () => call<void>('DELETE', '/session'),
  site: () => call<SiteView>('GET', '/site'),
  live: () => call<LiveView>('GET', '/live'),
  curve: () => call<CurveView>('GET', '/curve'),
  map: (group: string) => call<MapView>('GET', `/groups/${q(group)}/map`),
  decisions: (limit: number) => call<Decision[] | null>('GET', `/decisions?limit=${limit}`),
  why: (device: string, at?: string) => call<WhyView>('GET', `/why/${q(device)}${at ? `?at=${q(at)}` : ''}`),
  history: (from: Date, to: Date, step: number, stop?: AbortSignal) =>
    call<HistoryView>('GET', `/history?from=${q(from.toISOString())}&to=${q(to.toISOString())}&step=${step}`, undefined, stop),
  schedule: (stop?: AbortSignal) => call<ScheduleView>('GET', '/schedule', undefined, stop),
  signals: (stop?: AbortSignal) => call<SignalsView>('GET', '/signals', undefined, stop),
  curtailments: (stop?: AbortSignal) => call<CurtailmentsView>('GET', '/curtailments', undefined, stop),
  curtail: (r: CurtailRequest) => call<CurtailmentView>('POST', '/curtailments', r),
  withdraw: (id: string, why: string) => call<CurtailmentView>('POST', `/curtailments/${q(id)}/withdraw`, { why }),
  forecast: (stop?: AbortSignal) => call<ForecastView>('GET', '/forecast', undefined, stop),
  report: (date: string) => call<ReportView>('GET', `/report/day?date=${q(date)}`),
  setLimit: (l: LimitRequest) => call<unknown>('POST', '/limits', l),
  clearLimit: (id: string) => call<unknown>('DELETE', `/limits/${q(id)}`),
  hold: (h: HoldRequest) => call<unknown>('POST', '/holds', h),
  release: (device: string) => call<unknown>('DELETE', `/holds/${q(device)}`),
  devices: (d: DevicesAsk, stop?: AbortSignal) =>
    call<DevicesView>('GET', `/devices?q=${q(d.q)}&sort=${q(d.sort)}&offset=${d.offset}&limit=${d.limit}`, undefined, stop),
  device: (id: string, stop?: AbortSignal) => call<DeviceView>('GET', `/devices/${q(id)}`, undefined, stop),
  deviceHistory: (id: string, from: Date, to: Date, step: number, stop?: AbortSignal) =>
    call<DeviceHistoryView>('GET', `/devices/${q(id)}/history?from=${q(from.toISOString())}&to=${q(to.toISOString())}&step=${step}`, undefined, stop),
  preview: (r: RolloutRequest) => call<PreviewView>('POST', '/rollouts/preview', r),
  begin: (r: RolloutRequest) => call<RolloutView>('POST', '/rollouts', r),
  rollouts: (stop?: AbortSignal) => call<RolloutView[] | null>('GET', '/rollouts', undefined, stop),
  rollout: (id: string | number, stop?: AbortSignal) => call<RolloutView>('GET', `/rollouts/${q(id)}`, undefined, stop),
  steer: (id: number, what: 'pause' | 'resume' | 'stop') => call<unknown>('POST', `/rollouts/${id}/steer`, { what }),
  health: (stop?: AbortSignal) => call<HealthAlert[] | null>('GET', '/health', undefined, stop),
  repairs: (stop?: AbortSignal) => call<RepairView[] | null>('GET', '/repairs', undefined, stop),
  repaired: (device: string, note: string) => call<unknown>('POST', `/repairs/${q(device)}/done`, { note }),
  silences: (stop?: AbortSignal) => call<SilenceView[] | null>('GET', '/silences', undefined, stop),
  silence: (s: SilenceRequest) => call<SilenceView>('POST', '/silences', s),
  unsilence: (id: number) => call<unknown>('DELETE', `/silences/${id}`),
  studies: (stop?: AbortSignal) => call<StudyView[] | null>('GET', '/studies', undefined, stop),
  study: (id: string, stop?: AbortSignal) => call<StudyReport>('GET', `/studies/${q(id)}`, undefined, stop),
  addStudy: (r: StudyRequest) => call<StudyView>('POST', '/studies', r),
  removeStudy: (id: string) => call<unknown>('DELETE', `/studies/${q(id)}`),
  /** Where a study's file is, for a link; with: others that stand beside it. */
  studyFile: (id: string, form: 'html' | 'json' | 'yaml' | 'xlsx', others: string[] = []) =>
    `${base}/studies/${q(id)}${form === 'json' ? '' : `/report?format=${form}${others.length > 0 ? `&with=${others.map(q).join(',')}` : ''}`}`,
  clusters: (stop?: AbortSignal) => call<ClusterView[] | null>('GET', '/clusters', undefined, stop),
  clusterJobs: (id: string, stop?: AbortSignal) => call<ClusterJob[] | null>('GET', `/clusters/${q(id)}/jobs`, undefined, stop),
  holdNode: (id: string, node: string, mode: 'keep' | 'fence') => call<unknown>('POST', `/clusters/${q(id)}/holds`, { nodes: [node], mode }),
  releaseNode: (id: string, node: string) => call<unknown>('DELETE', `/clusters/${q(id)}/holds/${q(node)}`),
  tenants: (stop?: AbortSignal) => call<TenantName[] | null>('GET', '/tenants', undefined, stop),
  tenant: (whose: string) => call<TenantView>('GET', `/tenant${of(whose)}`),
  tenantJobs: (whose: string, stop?: AbortSignal) => call<TenantJob[] | null>('GET', `/tenant/jobs${of(whose)}`, undefined, stop),
  tenantEvents: (whose: string, stop?: AbortSignal) => call<TenantEvent[] | null>('GET', `/tenant/events${of(whose)}`, undefined, stop),
  tenantUsage: (whose: string, stop?: AbortSignal) => call<UsageView>('GET', `/tenant/usage${of(whose)}`, undefined, stop),
  tenantInvoices: (whose: string, stop?: AbortSignal) => call<InvoiceView[] | null>('GET', `/tenant/invoices${of(whose)}`, undefined, stop),
  availability: (whose: string) => call<AvailabilityView>('GET', `/tenant/availability${of(whose)}`),
  acknowledge: (id: string) => call<CurtailmentView>('POST', `/tenant/curtailments/${q(id)}/acknowledge`),
  invoiceURL: (whose: string, number: string, format: 'pdf' | 'csv' | 'json') => `${base}/tenant/invoices/${q(number)}${of(whose, `format=${format}`)}`,
  tenantFeedURL: (whose: string) => `${base}/tenant/feed${of(whose)}`,
  eventsURL: `${base}/events`,
}
