import { expect, open, test } from './site'
import type { Page } from '@playwright/test'

test.use({ siteOptions: { speed: 1 } })

async function studies(page: Page, url: string, token = 'operator'): Promise<void> {
  await open(page, url, token)
  await page.getByRole('link', { name: 'Studies' }).click()
  await expect(page.locator('[data-study]').first()).toBeVisible()
}

const file = (text: string, name = 'north creek.yaml') => ({ name, mimeType: 'application/yaml', buffer: Buffer.from(text) })

test('the list: what each study says, on one scale, the newest first', async ({ page, url }) => {
  await studies(page, url)
  await expect(page).toHaveTitle(/^Studies · Millbrook Station/)
  const rows = page.locator('[data-study]')
  await expect(rows).toHaveCount(2)
  await expect(rows.first()).toContainText(/Millbrook, as measured.*12 years from 2027-01.*10,000 worlds, seed 1.*hall-a.*Host for a GPU cloud.*\$187M.*mining on \$24\.9M.*4 findings/s)
  const bars = await page.getByRole('img', { name: /eight of ten worlds/ }).evaluateAll((all) => all.map((x) => (x.querySelector('.bar') as HTMLElement).getBoundingClientRect().width))
  // The second has 8/10 of the rents' worth: its bar is as much shorter.
  expect(bars).toHaveLength(2)
  expect(bars[1]! / bars[0]!).toBeCloseTo(0.8, 2)
})

test('one study: the answer, options by hall, findings of what is chosen first', async ({ page, url }) => {
  await studies(page, url)
  await page.getByRole('link', { name: 'Millbrook, as measured' }).click()
  await expect(page.getByTestId('study-headline')).toHaveText('hall-a, hall-b and hall-c should host AI; hall-d should be sold: $187M, $162M more than mining on everywhere.')
  await expect(page.getByRole('link', { name: 'Workbook' })).toHaveAttribute('href', '/api/v1/studies/20260202-171500-as-measured/report?format=xlsx')
  const options = page.getByTestId('options')
  await expect(options.locator('tbody')).toHaveCount(4)
  const best = options.locator('tr.best')
  await expect(best).toHaveCount(4)
  await expect(best.first()).toContainText(/Host for a GPU cloud.*best.*\$61\.0M.*\$51\.8M.*83 %.*18\.7 %.*31\.2 %.*1\.38.*\$168M.*\$126M/s)
  await expect(options.locator('tbody').nth(3)).toContainText(/Sell the hall.*none.*none/s)
  const found = page.getByRole('region', { name: 'Findings' })
  await expect(found.locator('.found').first().locator('li')).toHaveCount(2)
  await expect(found.locator('.found li').first()).toContainText('the loan is bound by its DSCR')
  await expect(found.getByText('below the covenant')).toBeHidden()
  await found.getByText('2 of options not chosen').click()
  await expect(found.getByText('below the covenant')).toBeVisible()
  // The largest swing first.
  await expect(page.getByRole('region', { name: 'What it hangs on' }).locator('tr').first()).toContainText('Rent')
  await expect(page.getByText(/hall-a: the plan now: .*Being free to wait and see adds \$2\.4M \(± \$400k\) to a fixed plan/)).toBeVisible()
})

test('the report for people opens by itself', async ({ page, url, context }) => {
  await studies(page, url)
  await page.getByRole('link', { name: 'Rents fall by a fifth' }).click()
  const [tab] = await Promise.all([context.waitForEvent('page'), page.getByRole('link', { name: 'Full report' }).click()])
  await expect(tab.getByRole('heading', { name: 'Rents fall by a fifth' })).toBeVisible()
  await expect(page.getByRole('link', { name: 'Workbook' })).toHaveCount(0)
  await expect(page.getByRole('link', { name: 'JSON' })).toHaveAttribute('href', '/api/v1/studies/20260128-090000-rents-fall')
})

test('two side by side, by an address that can be sent on', async ({ page, url }) => {
  await studies(page, url)
  const compare = page.getByRole('link', { name: /^Compare/ })
  await page.getByRole('checkbox', { name: 'Compare Millbrook, as measured' }).check()
  await expect(page.locator('a.btn', { hasText: 'Compare' })).toHaveAttribute('aria-disabled', 'true')
  await page.getByRole('checkbox', { name: 'Compare Rents fall by a fifth' }).check()
  await compare.click()
  const side = page.getByRole('region', { name: 'Studies compared' })
  await expect(side.locator('thead th')).toHaveCount(3)
  await expect(side.locator('tbody tr').first()).toContainText(/NPV.*\$187M.*\$150M/s)
  await expect(side).toContainText(/hall-d.*Sell the hall in 2027-06, \$34\.0M.*\$27\.2M/s)
  await expect(side.getByRole('note')).toHaveCount(0)
  await page.reload()
  await expect(side.locator('thead th')).toHaveCount(3)
  await expect(side.getByRole('link', { name: 'Full comparison' })).toHaveAttribute('href', '/api/v1/studies/20260202-171500-as-measured/report?format=html&with=20260128-090000-rents-fall')
})

test('a study file: its faults by line and key, then its run', async ({ page, url, mock, allowed }) => {
  allowed.push(/422/)
  await studies(page, url)
  await page.getByRole('button', { name: 'Run a study file' }).click()
  const form = page.getByRole('region', { name: 'Run a study file' })
  await expect(form.getByRole('button', { name: 'Run it' })).toBeDisabled()
  const input = form.getByLabel('Study file')
  await input.setInputFiles([file('study: North Creek\nyeers: 12\n')])
  await form.getByRole('button', { name: 'Run it' }).click()
  const said = form.getByRole('alert')
  await expect(said).toContainText('2 things are wrong with it. Nothing was run.')
  await expect(said.locator('li').nth(1)).toContainText(/north creek\.yaml:12.*yeers.*did you mean "years"/s)

  await input.setInputFiles([file('study: North Creek\nyears: 12\n'), file('time,price\n', 'rt.csv')])
  await form.getByRole('button', { name: 'Run it' }).click()
  await expect(form).toBeHidden()
  expect(mock.requests.at(-1)).toMatchObject({ method: 'POST', path: '/studies', guard: '1', body: { name: 'north creek.yaml', text: 'study: North Creek\nyears: 12\n', files: { 'rt.csv': 'time,price\n' } } })
  const row = page.locator('[data-study="20260203-172000-north-creek"]')
  mock.studies.reach('20260203-172000-north-creek', 2500)
  await expect(row).toContainText('paths, 2,500 of 10,000')
  await expect(row.getByRole('progressbar')).toHaveAttribute('value', '25')
  await expect(row.getByRole('checkbox')).toBeDisabled()
  mock.studies.reach('20260203-172000-north-creek', 10000)
  await expect(row.getByRole('link', { name: 'North Creek' })).toBeVisible()
  await expect(row).toContainText('Host for a GPU cloud')
})

test('only one study file at a time, and what fails says why', async ({ page, url, mock }) => {
  await studies(page, url)
  await page.getByRole('button', { name: 'Run a study file' }).click()
  const form = page.getByRole('region', { name: 'Run a study file' })
  await form.getByLabel('Study file').setInputFiles([file('x', 'rt.csv')])
  await form.getByRole('button', { name: 'Run it' }).click()
  await expect(form.getByRole('alert')).toHaveText('Choose a study file: its name ends in .yaml.')
  await form.getByLabel('Study file').setInputFiles([file('study: Odd\nyears: 3\n')])
  await form.getByRole('button', { name: 'Run it' }).click()
  await expect(form).toBeHidden()
  mock.studies.fail('20260203-172000-odd', 'it took longer than 20m0s: ask for fewer paths')
  const row = page.locator('[data-study="20260203-172000-odd"]')
  await expect(row).toContainText('Failed: it took longer than 20m0s')
  await row.getByRole('button', { name: 'Remove' }).click()
  await expect(row).toHaveCount(0)
})

test('a study that a stopped controller interrupted says so, and that it runs anew', async ({ page, url, mock }) => {
  await studies(page, url)
  await page.getByRole('button', { name: 'Run a study file' }).click()
  const form = page.getByRole('region', { name: 'Run a study file' })
  await form.getByLabel('Study file').setInputFiles([file('study: Long\nyears: 40\n')])
  await form.getByRole('button', { name: 'Run it' }).click()
  await expect(form).toBeHidden()
  const row = page.locator('[data-study="20260203-172000-long"]')
  mock.studies.interrupt('20260203-172000-long', 1, false)
  await expect(row).toContainText('Interrupted: the controller stopped. It is run again from the beginning')
  await expect(row.getByRole('button', { name: 'Stop' })).toBeVisible()
  mock.studies.interrupt('20260203-172000-long', 1, true)
  await expect(row).toContainText('Run 2, from the beginning, as the controller stopped: paths, 0 of 10,000')
})

test('a study is removed only after a second word', async ({ page, url, mock }) => {
  await studies(page, url)
  await page.getByRole('link', { name: 'Rents fall by a fifth' }).click()
  await page.getByRole('button', { name: 'Remove', exact: true }).click()
  expect(mock.studies.list()).toHaveLength(2)
  await page.getByRole('button', { name: 'Remove it' }).click()
  await expect(page.locator('[data-study]')).toHaveCount(1)
  await expect(page).toHaveURL(/#\/studies$/)
})

test('a viewer reads and changes nothing', async ({ page, url }) => {
  await studies(page, url, 'viewer')
  await expect(page.getByRole('button', { name: 'Run a study file' })).toHaveCount(0)
  await page.getByRole('link', { name: 'Millbrook, as measured' }).click()
  await expect(page.getByTestId('study-headline')).toBeVisible()
  await expect(page.getByRole('button', { name: 'Remove' })).toHaveCount(0)
})

test('without studies the list says how to begin', async ({ page, url, mock }) => {
  for (const s of mock.studies.list()) mock.studies.remove(s.id)
  await open(page, url)
  await page.getByRole('link', { name: 'Studies' }).click()
  await expect(page.getByText('switchyard study init --site site.yaml')).toBeVisible()
})

test('on a phone nothing runs over the edge', async ({ page, url }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  await studies(page, url)
  for (const to of ['#/studies', '#/studies/20260202-171500-as-measured', '#/studies?compare=20260202-171500-as-measured,20260128-090000-rents-fall']) {
    await page.goto(`${url}/${to}`)
    await expect(page.locator('main section').first()).toBeVisible()
    await expect(page.locator('main section .whisker').first()).toBeVisible()
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    expect(over, to).toBeLessThanOrEqual(0)
  }
})

test.describe('a controller without studies', () => {
  test.use({ siteOptions: { speed: 1, hasStudies: false } })
  test('has no page of them', async ({ page, url }) => {
    await open(page, url)
    await expect(page.getByRole('link', { name: 'Studies' })).toHaveCount(0)
  })
})
