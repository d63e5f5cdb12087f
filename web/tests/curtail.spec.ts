import { atWall, beyond, following, given, hours, paid, request, soFar, wall } from '../src/lib/curtail'
import type { CurtailmentView, RightView } from '../src/lib/clustertypes'
import { SiteClock } from '../src/lib/format'
import { expect, open, test } from './site'
import type { Mock } from '../mock/server.mjs'
import type { Page } from '@playwright/test'

test.use({ siteOptions: { speed: 1, start: '2026-02-03T16:35:00-05:00' } })

/** A call of Helix AI that begins and ends so many minutes from now, told half an hour ago. */
function add(mock: Mock, from: number, to: number, more: Partial<Mock['curtail']['calls'][0]> = {}): void {
  const now = mock.now()
  mock.curtail.calls.unshift({
    id: `helix-${mock.curtail.calls.length + 1}`, tenant: 'helix', from: now + from * 60, to: now + to * 60, power_w: 0.5e6, baseline_w: 1.32e6, told: now - 1800, seen: null, withdrawn: null,
    by: 'shift', why: 'The grid is short of power', consent: 'its right to 500 kW', given_w: null, ...more,
  })
}
const posts = (mock: Mock) => mock.requests.filter((r) => r.path.includes('curtailments'))

async function curtailments(page: Page, url: string, token = 'operator'): Promise<void> {
  await open(page, url, token)
  await page.getByRole('link', { name: 'Schedule' }).first().click()
  await page.getByRole('navigation', { name: 'Hours ahead' }).getByRole('link', { name: 'Curtailments' }).click()
  await expect(page.getByTestId('curtailed')).toBeVisible()
}

test.describe('those who run the site', () => {
  test('see the rights of each tenant, what is left of them, and who calls', async ({ page, url }) => {
    await curtailments(page, url)
    await expect(page).toHaveTitle(/^Curtailments · Millbrook Station/)
    const right = (id: string) => page.locator(`[data-right="${id}"]`)
    await expect(right('helix')).toContainText(/Helix AI.*500 kW, told 30 min before, \$200\/MWh.*93\.5 h of 100 h left.*A person calls: the schedule proposes/s)
    await expect(right('beta')).toContainText(/40 h of 40 h left.*The site calls: by itself, when the notice comes due/s)
    await expect(right('gamma')).toContainText(/25 kW, without notice, \$262\.50\/MWh.*nothing left of 20 h.*Nobody calls/s)
    const bar = await right('helix').locator('.bar .fill').evaluate((e) => e.getBoundingClientRect().width / e.parentElement!.getBoundingClientRect().width)
    expect(bar).toBeCloseTo(0.935, 2)
    await right('helix').getByRole('link', { name: 'Helix AI' }).click()
    await expect(page).toHaveURL(/#\/tenants\/helix$/)
  })

  test('see what the schedule proposes, and how long it can be called', async ({ page, url }) => {
    await open(page, url)
    await expect(page.getByTestId('due-line')).toHaveCount(1) // the site calls Beta Labs by itself
    await expect(page.getByTestId('due-line')).toContainText('To call call by 17:00, in 25 min Helix AI 500 kW less, 17:30 to 18:15')
    await page.getByTestId('due-line').getByRole('link').click()
    await expect(page.getByTestId('curtailed')).toHaveText('No tenant is curtailed now. The schedule would take 500 kW back from Helix AI from 17:30 to 18:15.')
    const rows = page.getByRole('region', { name: 'Proposed' }).getByRole('listitem')
    await expect(rows).toHaveCount(4)
    await expect(rows.nth(0)).toContainText(/Helix AI 500 kW less\s+17:30 to 18:15\s+call by 17:00\s+in 25 min\s+45 min at \$200\/MWh\. Power is expected to cost \$212\/MWh/)
    await expect(rows.nth(0)).toHaveClass(/soon/)
    await expect(rows.nth(1)).toContainText('the site calls at 17:25')
    await expect(rows.nth(2)).toContainText('call by Wed 4 Feb 17:00')
  })

  test('see the calls of the year: state, told, seen, given of asked, paid', async ({ page, url, mock }) => {
    add(mock, -40, 35, { seen: mock.now() - 1500 })
    add(mock, 90, 150)
    await curtailments(page, url)
    await expect(page.getByTestId('curtailed')).toContainText('Helix AI is to draw 500 kW less until 17:10. Helix AI is to draw 500 kW less from 18:05 to 19:05.')
    const rows = page.getByRole('region', { name: 'Calls of this year' }).getByRole('listitem')
    await expect(rows).toHaveCount(5)
    await expect(rows.nth(0)).toContainText(/Called.*18:05 to 19:05.*Begins in 1 h 30 min.*not begun yet of 500 kW.*–.*told 16:05 by shift.*not seen yet/s)
    await expect(rows.nth(1)).toContainText(/Running.*15:55 to 17:10.*Running, ends in 35 min.*480 kW given of 500 kW.*32\d kWh.*\$6\d\.\d\d at \$200\/MWh.*seen 16:10/s)
    await expect(rows.nth(2)).toContainText(/Ended.*Fri 30 Jan 17:30 to 19:00.*508 kW given of 500 kW.*762 kWh.*\$152\.40/s)
    await expect(rows.nth(3)).toContainText(/Withdrawn.*did not begin of 500 kW.*–.*never seen.*withdrawn Sun 25 Jan 17:24/s)
    await expect(rows.nth(4)).toContainText(/372 kW given.*by the schedule/s)
    const share = await rows.nth(4).locator('.bar .fill').evaluate((e) => e.getBoundingClientRect().width / e.parentElement!.getBoundingClientRect().width)
    expect(share).toBeCloseTo(0.744, 2)
    await expect(rows.nth(0).locator('.bar .fill')).toHaveCount(0)
    await expect(page.getByTestId('year')).toContainText(/1\.8\d MWh given back so far, paid \$36\d/)
    await page.getByRole('link', { name: 'Site', exact: true }).click()
    await expect(page.getByTestId('curtailed-line').last()).toContainText('Helix AI 500 kW less, 15:55 to 17:10 gives 480 kW')
    await expect(page.getByTestId('curtailed-line').first()).toContainText('not seen by the tenant yet')
  })

  test('are told where a meter is silent, not that nothing was given', async ({ page, url, mock }) => {
    mock.curtail.silent = true
    add(mock, -40, 35)
    await curtailments(page, url)
    const row = page.locator('[data-call="helix-4"]')
    await expect(row).toContainText(/not measured yet of 500 kW.*–.*\$200\/MWh/s)
    await expect(row.locator('.bar')).toHaveClass(/missing/)
    await expect(page.getByTestId('year')).toHaveCount(0)
  })

  test('call what is proposed: prefilled, and sent as it was proposed', async ({ page, url, mock }) => {
    await curtailments(page, url)
    await page.getByRole('button', { name: 'Call Helix AI from 17:30 to 18:15' }).click()
    const dialog = page.getByRole('dialog', { name: 'Curtail Helix AI' })
    await expect(dialog.getByLabel('From')).toHaveValue('2026-02-03T17:30')
    await expect(dialog.getByLabel('To', { exact: true })).toHaveValue('2026-02-03T18:15')
    await expect(dialog.getByLabel('Less by')).toHaveValue('500')
    await expect(dialog.getByLabel('Why')).toHaveValue('Power is expected to cost $212/MWh from 17:30 to 18:15.')
    await expect(dialog.getByTestId('curtail-effect')).toContainText(/500 kW less for 45 min: at most 375 kWh, paid \$75\.00 at \$200\/MWh\.\s+Within the right: 93\.5 h of 100 h are left/)
    await dialog.getByLabel('Less by').fill('0.45')
    await dialog.getByLabel('Unit').selectOption('MW') // the figure stays what it is: 0.45 kW
    await expect(dialog.getByTestId('curtail-effect')).toContainText('450 W less')
    await dialog.getByLabel('Less by').fill('0.45')
    await dialog.getByLabel('Why').fill('The evening peak is dear.')
    await dialog.getByRole('button', { name: 'Call Helix AI' }).click()
    await expect(dialog).toHaveCount(0)
    await expect(page.getByText('Helix AI is told to draw less.')).toBeVisible()
    expect(posts(mock)).toEqual([{ method: 'POST', path: '/curtailments', guard: '1', body: { tenant: 'helix', from: '2026-02-03T22:30:00.000Z', to: '2026-02-03T23:15:00.000Z', power_w: 450_000, why: 'The evening peak is dear.' } }])
    // What is called is proposed no more.
    await expect(page.locator('[data-call="helix-4"]')).toContainText(/Called.*17:30 to 18:15.*of 450 kW.*The evening peak is dear\./s)
    await expect(page.getByRole('region', { name: 'Proposed' }).getByRole('listitem')).toHaveCount(3)
  })

  test('call any tenant: what is left empty is left to the right, and a refusal is shown as it is', async ({ page, url, mock, allowed }) => {
    allowed.push(/status of 422/)
    await curtailments(page, url)
    await page.getByRole('button', { name: 'Curtail a tenant…' }).click()
    const dialog = page.getByRole('dialog', { name: 'Curtail a tenant' })
    const send = dialog.getByRole('button', { name: 'Call Helix AI' })
    await expect(dialog).toContainText('empty: as soon as its notice allows, 17:05')
    await expect(dialog).toContainText('empty: all that the right allows, 500 kW')
    await send.click()
    await expect(dialog.getByRole('alert')).toHaveText('Say until when.')
    await dialog.getByLabel('To', { exact: true }).fill('2026-02-03T19:00')
    await send.click()
    await expect(dialog.getByRole('alert')).toHaveText('Say why, in a sentence that Helix AI reads.')
    expect(posts(mock)).toEqual([])
    await dialog.getByLabel('Why').fill('The grid asked for it')
    mock.curtail.refuses = 'power_w: 500 kW is more than Helix AI draws: 410 kW'
    await send.click()
    await expect(dialog.getByRole('alert')).toHaveText('power_w: 500 kW is more than Helix AI draws: 410 kW')
    mock.curtail.refuses = ''
    await dialog.getByLabel('From').fill('2026-02-03T16:40')
    await expect(dialog.getByTestId('curtail-effect')).toContainText(/The right takes 30 min of notice, and it begins in [45] min\..*it takes a consent/s)
    await send.click()
    await expect(dialog.getByRole('alert')).toHaveText('Helix AI is to be told 30 min before; name a consent for less')
    await dialog.getByLabel('From').fill('')
    await send.click()
    await expect(dialog).toHaveCount(0)
    expect(posts(mock).at(-1)!.body).toEqual({ tenant: 'helix', to: '2026-02-04T00:00:00.000Z', why: 'The grid asked for it' })
  })

  test('name a consent beyond the right', async ({ page, url, mock }) => {
    await curtailments(page, url)
    await page.getByRole('button', { name: 'Curtail a tenant…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Tenant').selectOption('Gamma Research')
    await dialog.getByLabel('To', { exact: true }).fill('2026-02-03T18:00')
    await dialog.getByLabel('Less by').fill('40')
    await expect(dialog.getByTestId('curtail-effect')).toContainText(/The right is to 25 kW\.\s*Nothing is left of this year's 20 h\.\s*Beyond the right: it takes a consent\./)
    await dialog.getByLabel('Why').fill('A transformer is overloaded.')
    await dialog.getByLabel('Consent').fill('Mr Ito by telephone')
    await dialog.getByRole('button', { name: 'Call Gamma Research' }).click()
    await expect(dialog).toHaveCount(0)
    expect(posts(mock).at(-1)!.body).toEqual({ tenant: 'gamma', to: '2026-02-03T23:00:00.000Z', power_w: 40_000, why: 'A transformer is overloaded.', consent: 'Mr Ito by telephone' })
    await expect(page.locator('[data-call="gamma-4"]')).toContainText('Rests on Mr Ito by telephone.')
  })

  test('withdraw a call, with a reason', async ({ page, url, mock }) => {
    add(mock, -40, 35)
    await curtailments(page, url)
    const row = page.locator('[data-call="helix-4"]')
    await expect(page.getByRole('button', { name: /^Withdraw the call/ })).toHaveCount(1)
    await row.getByRole('button', { name: 'Withdraw the call of Helix AI from 15:55 to 17:10' }).click()
    await row.getByRole('button', { name: 'Withdraw it' }).click()
    await expect(row.getByRole('alert')).toHaveText('Say why it is taken back.')
    expect(posts(mock)).toEqual([])
    await row.getByLabel('Why may Helix AI draw as before?').fill('The grid is well again.')
    await row.getByRole('button', { name: 'Withdraw it' }).click()
    await expect(page.getByText('Helix AI may draw as before: the curtailment is withdrawn.')).toBeVisible()
    await expect(row).toContainText(/Withdrawn.*withdrawn 16:35/s)
    await expect(row.getByRole('button')).toHaveCount(0)
    expect(posts(mock)).toEqual([{ method: 'POST', path: '/curtailments/helix-4/withdraw', guard: '1', body: { why: 'The grid is well again.' } }])
  })

  test('a viewer sees it all and has nothing to press', async ({ page, url, mock }) => {
    add(mock, -40, 35)
    await curtailments(page, url, 'viewer')
    await expect(page.getByRole('region', { name: 'Proposed' }).getByRole('listitem')).toHaveCount(4)
    await expect(page.locator('[data-call="helix-4"]')).toContainText('Running')
    await expect(page.locator('main').getByRole('button')).toHaveCount(0)
    await page.goto(`${url}/#/tenants/helix`)
    await expect(page.getByTestId('curtailment')).toContainText('Not seen yet')
    await expect(page.getByTestId('curtailment').getByRole('button')).toHaveCount(0)
  })

  test('where no tenant has a right, one line says so and what to write', async ({ page, url, mock }) => {
    mock.curtail.rights = []
    mock.curtail.calls = []
    await open(page, url)
    await page.goto(`${url}/#/curtailments`)
    const panel = page.getByRole('region', { name: 'Curtailments' })
    await expect(panel).toContainText('No tenant has given a right to take power back.')
    await expect(panel.locator('code')).toHaveText('tenants: - curtail: {power: 500 kW, hours: 100h, notice: 30m, price: 200 $/MWh, call: ask}')
    await expect(page.locator('main section')).toHaveCount(1)
    // A consent is enough.
    await page.getByRole('button', { name: 'Curtail a tenant…' }).click()
    const dialog = page.getByRole('dialog')
    await expect(dialog.getByLabel('Tenant').locator('option')).toHaveText(['Helix AI'])
    await expect(dialog).toContainText('empty: at once')
    await dialog.getByLabel('To', { exact: true }).fill('2026-02-03T18:00')
    await dialog.getByLabel('Why').fill('A transformer is overloaded.')
    await dialog.getByRole('button', { name: 'Call Helix AI' }).click()
    await expect(dialog.getByRole('alert')).toHaveText('Say by how much.')
    expect(posts(mock)).toEqual([])
  })

  test('a trouble in asking is said, and what was known stays', async ({ page, url, allowed }) => {
    allowed.push(/status of 500/)
    await curtailments(page, url)
    await page.route('**/api/v1/curtailments', (r) => r.fulfill({ status: 500, json: { detail: 'the disk is full' } }))
    await expect(page.getByRole('alert').filter({ hasText: 'the disk is full' })).toBeVisible({ timeout: 8000 })
    await expect(page.locator('[data-right="helix"]')).toBeVisible()
  })

  test.describe('of a controller without curtailments', () => {
    test.use({ siteOptions: { speed: 1, hasClusters: false } })
    test('there is no such tab, and nothing is asked', async ({ page, url, mock }) => {
      await open(page, url)
      await page.getByRole('link', { name: 'Schedule' }).first().click()
      await expect(page.getByTestId('sentence')).toBeVisible()
      await expect(page.getByRole('link', { name: 'Curtailments' })).toHaveCount(0)
      expect(mock.seen.filter((s) => s.includes('curtailments'))).toEqual([])
    })
  })
})

test.describe('a tenant', () => {
  test('is asked above all else, sees that it follows, and says that it has seen it', async ({ page, url, mock }) => {
    add(mock, -40, 35)
    await open(page, url, 'helix')
    const box = page.getByTestId('curtailment')
    await expect(box.getByRole('alert')).toHaveText('Please draw at most 820 kW from 15:55 to 17:10 (500 kW less than before). The grid is short of power. You are paid $200 for each MWh not drawn.')
    await expect(box).toContainText('Running, ends in 35 min')
    await expect(box).toContainText('You draw 825 kW now. That is followed, thank you.')
    await expect(box.locator('.bar')).not.toHaveClass(/over/)
    await expect(box).toContainText(/So far you drew 480 kW less than before in the mean: 32\d kWh, \$6\d\.\d\d\./)
    await expect(box).not.toContainText('shift')
    const top = async (id: string) => (await page.getByTestId(id).boundingBox())!.y
    expect(await top('curtailment')).toBeLessThan(await top('headline'))
    mock.curtail.follows = false
    await expect(box).toContainText('You draw 1.34 MW now, 520 kW more than asked. That is not followed yet.')
    await expect(box.locator('.bar')).toHaveClass(/over/)
    await box.getByRole('button', { name: 'We have seen it' }).click()
    await expect(box.getByText('Seen at 16:35')).toBeVisible()
    await expect(box.getByRole('button')).toHaveCount(0)
    expect(posts(mock)).toEqual([{ method: 'POST', path: '/tenant/curtailments/helix-4/acknowledge', guard: '1', body: undefined }])
    for (const s of mock.seen) expect(s).toMatch(/^helix ops (GET|POST) \/(session$|tenant(\/|$))/)
  })

  test('is told ahead, what it has to shed, and nothing once it is over or withdrawn', async ({ page, url, mock }) => {
    add(mock, 25, 85)
    await open(page, url, 'helix')
    const box = page.getByTestId('curtailment')
    await expect(box).toContainText('Begins in 25 min')
    await expect(box).toContainText(/You draw 1\.\d\d MW now: \d+ kW less is needed by 17:00\./)
    await expect(box.locator('.bar .mark')).toHaveCount(1)
    mock.curtail.calls[0]!.withdrawn = mock.now()
    await expect(box).toHaveCount(0)
    await expect(page.getByRole('region', { name: 'Please draw less' })).toHaveCount(0)
  })

  test('whose meter is silent is told only how much less', async ({ page, url, mock }) => {
    mock.curtail.silent = true
    add(mock, -40, 35)
    await open(page, url, 'helix')
    const box = page.getByTestId('curtailment')
    await expect(box.getByRole('alert')).toHaveText('Please draw 500 kW less than before, from 15:55 to 17:10. The grid is short of power. You are paid $200 for each MWh not drawn.')
    await expect(box.locator('.bar')).toHaveCount(0)
    await expect(box).not.toContainText(/at most|0 W|You draw/)
  })

  test('is not asked for what another is, and a refused word is shown', async ({ page, url, mock, allowed }) => {
    allowed.push(/status of 404/)
    add(mock, -40, 35, { id: 'of-beta', tenant: 'beta', power_w: 60e3, baseline_w: 100e3 })
    add(mock, -40, 35)
    await open(page, url, 'beta')
    await expect(page.getByTestId('curtailment')).toHaveCount(1)
    await expect(page.getByTestId('curtailment')).toContainText('60 kW less than before')
    await page.route('**/acknowledge', (r) => r.fulfill({ status: 404, json: { detail: 'curtailment "of-beta": not found' } }))
    await page.getByRole('button', { name: 'We have seen it' }).click()
    await expect(page.getByTestId('curtailment')).toContainText('curtailment "of-beta": not found')
    await expect(page.getByRole('button', { name: 'We have seen it' })).toBeEnabled()
  })

  test('its word is seen by those who run the site', async ({ page, url, mock, browser }) => {
    add(mock, -40, 35)
    await curtailments(page, url)
    await expect(page.locator('[data-call="helix-4"]')).toContainText('not seen yet')
    const own = await (await browser.newContext()).newPage()
    await open(own, url, 'helix')
    await own.getByRole('button', { name: 'We have seen it' }).click()
    await expect(page.locator('[data-call="helix-4"]')).toContainText('seen 16:35', { timeout: 8000 })
    await own.context().close()
  })
})

test.describe('a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  test('nothing scrolls sideways', async ({ page, url, mock }) => {
    add(mock, 300, 460)
    add(mock, -40, 35)
    const sideways = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
    await open(page, url)
    await page.goto(`${url}/#/curtailments`)
    await page.getByRole('button', { name: /^Withdraw the call/ }).first().click()
    expect(await sideways()).toBe(0)
    await page.getByRole('button', { name: 'Call Helix AI from Wed 4 Feb 17:30 to 18:15' }).click()
    await expect(page.getByRole('dialog')).toBeVisible()
    expect(await sideways()).toBe(0)
    await page.goto(`${url}/#/tenants/helix`)
    await expect(page.getByTestId('curtailment')).toHaveCount(2)
    expect(await sideways()).toBe(0)
  })
})

test.describe('in words', () => {
  const clock = new SiteClock('America/New_York')
  const at = (s: string) => Date.parse(s)
  const c = (more: Partial<CurtailmentView> = {}): CurtailmentView => ({
    id: 'a', tenant: 't', name: 'T', state: 'running', from: '2026-02-03T22:00:00Z', to: '2026-02-04T00:00:00Z', power_w: 0.5e6, down_to_w: 1.3e6, baseline_w: 1.8e6, price_usd_mwh: 200, told: null, call_by: null, seen: null,
    withdrawn: null, by: '', why: '', consent: '', given_w: null, given_kwh: null, text: '', ...more,
  })
  const now = at('2026-02-03T22:30:00Z')

  test('unknown is neither followed nor missed, nor zero', () => {
    expect(following(c(), null, now, clock)).toEqual({ followed: null, text: 'Your meter does not tell what you draw now.' })
    expect(following(c({ down_to_w: null }), 1e6, now, clock)).toEqual({ followed: null, text: '' })
    expect([following(c(), 1.312e6, now, clock).followed, following(c(), 1.32e6, now, clock).followed]).toEqual([true, false]) // 1 % for the meters
    expect([paid(c()), soFar(c()), given(c())]).toEqual([null, '', 'not measured yet'])
    expect([paid(c({ given_kwh: 0 })), given(c({ given_w: 0 }))]).toEqual([0, '0 W given'])
    expect([paid(c({ given_kwh: -30 })), given(c({ given_w: -20e3 }))]).toEqual([0, 'drew 20 kW more'])
    expect(request(c({ to: '2026-02-04T06:00:00Z' }), now, clock)).toBe('Please draw at most 1.30 MW from 17:00 to Wed 4 Feb 01:00 (500 kW less than before).')
  })

  test('what goes beyond a right', () => {
    const r: RightView = { tenant: 't', name: 'T', power_w: 0.5e6, notice_s: 1800, total_s: 360_000, left_s: 5400, price_usd_mwh: 200, call: 'ask' }
    expect(beyond(r, { from: now + 1800e3, to: now + 7200e3, powerW: 0.5e6 }, now)).toEqual([])
    expect(beyond(r, { from: now, to: now + 7200e3, powerW: 0.6e6 }, now)).toEqual(['The right is to 500 kW.', 'The right takes 30 min of notice, and it begins at once.', "Only 1.5 h are left of this year's 100 h."])
    expect(beyond(undefined, { from: now, to: now + 1, powerW: 1 }, now)).toHaveLength(1)
    expect([hours(360_000), hours(336_600)]).toEqual(['100 h', '93.5 h'])
  })

  test('a field holds the site’s time, also where its clocks change', () => {
    for (const z of ['2026-02-03T22:30:00Z', '2026-03-08T06:30:00Z', '2026-03-08T07:30:00Z', '2026-07-01T12:00:00Z', '2026-11-01T07:30:00Z']) expect(new Date(atWall(wall(z, clock), clock)).toISOString(), z).toBe(z.replace('Z', '.000Z'))
    expect(wall('2026-02-03T22:30:00Z', clock)).toBe('2026-02-03T17:30')
    expect(atWall('', clock)).toBeNaN()
  })
})
