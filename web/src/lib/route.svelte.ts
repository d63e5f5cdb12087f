// Where the page is: the part of the address after #, so that a miner, a query or a rollout can
// be linked. Nothing here asks the controller.

export type Page = 'site' | 'schedule' | 'signals' | 'curtailments' | 'miners' | 'miner' | 'alerts' | 'silences' | 'repairs' | 'rollouts' | 'rollout' | 'report' | 'clusters' | 'tenant' | 'studies' | 'study'

export interface Route {
  page: Page
  /** Of the miner, the rollout, the tenant or the study; else empty. */
  id: string
  params: URLSearchParams
}

const lists = new Set<string>(['schedule', 'signals', 'curtailments', 'miners', 'alerts', 'silences', 'repairs', 'rollouts', 'report', 'clusters', 'studies'])
const single: Record<string, Page> = { miners: 'miner', rollouts: 'rollout', tenants: 'tenant', studies: 'study' }

function decoded(s: string): string {
  try {
    return decodeURIComponent(s)
  } catch {
    return s
  }
}

/** Reads "#/miners/s21-001" or "#/miners?q=hot"; anything not known is the first screen. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s)
  const [list = '', id = ''] = path.split('/')
  const params = new URLSearchParams(query)
  if (id && single[list]) return { page: single[list]!, id: decoded(id), params }
  return { page: lists.has(list) ? (list as Page) : 'site', id: '', params }
}

const e = encodeURIComponent

/** The address of a list of miners; what is the default is left out. */
function minersHref(q: string, sort = '', page = 1): string {
  const p = [q && `q=${e(q)}`, sort && `sort=${e(sort)}`, page > 1 && `page=${page}`].filter(Boolean)
  return `#/miners${p.length > 0 ? `?${p.join('&')}` : ''}`
}

export const href = {
  miner: (id: string) => `#/miners/${e(id)}`,
  miners: minersHref,
  tenant: (id: string) => `#/tenants/${e(id)}`,
  study: (id: string) => `#/studies/${e(id)}`,
  compare: (ids: string[]) => `#/studies?compare=${ids.map(e).join(',')}`,
  rollout: (id: number) => `#/rollouts/${id}`,
}

class Router {
  at = $state.raw<Route>(parseRoute(location.hash))
  /** Raised to ask the list of miners to take the focus into its search box. */
  find = $state(0)

  follow = () => {
    const before = this.at
    this.at = parseRoute(location.hash)
    if (before.page !== this.at.page || before.id !== this.at.id) scrollTo(0, 0)
  }

  go(to: string): void {
    location.hash = to
  }

  /** Changes the address of the page that is shown, without another step to go back through. */
  replace(to: string): void {
    if (location.hash === to) return
    history.replaceState(history.state, '', to)
    this.at = parseRoute(to)
  }

  search(): void {
    if (this.at.page !== 'miners') this.go(href.miners(''))
    this.find++
  }
}

export const router = new Router()
