/** What the generated client is like to use: `HOLDFAST_KEY=… npx node examples/client/example.ts [url]`. */
import { createClient, HoldfastError } from './holdfast-client.ts'

const [url = 'http://localhost:3000'] = process.argv.slice(2)
const client = createClient({ url, key: process.env.HOLDFAST_KEY ?? '' })

async function main(): Promise<void> {
  // Columns, filters and what comes back are typed: `citi.es`, `contry` or `city.population` do not compile.
  const { records, pagination } = await client.tables.cities.list({
    where: { country: 'eq.CH', name: 'like.Ber*' },
    sort: 'name',
    fields: ['name', 'country', 'lat'],
    limit: 5,
    total: 'exact',
  })
  console.log(`${pagination.total} places in Switzerland begin with Ber:`)
  for (const city of records) console.log(`  ${city.name} at ${city.lat} degrees north (${city._id})`)

  const [first] = records
  const whole = first && (await client.tables.cities.get(first._id))
  console.log(`The first of them is in the canton ${whole?.admin1}.`)

  // The same rows in PostgREST's grammar.
  const rows = await client.rest.cities.select({
    columns: ['name'],
    where: { country: 'eq.LI' },
    order: 'name',
    limit: 3,
  })
  console.log(`Liechtenstein has ${rows.map(({ name }) => name).join(', ')} and more.`)

  const { sources } = await client.listSources()
  for (const { source, state, age_seconds: age } of sources) console.log(`${source} is ${state}, ${age} seconds old.`)

  // The position now; `for await (const page of client.changes({ since: page.next }))` goes on from there.
  for await (const page of client.changes({ table: 'cities' })) {
    console.log(`Changes from here on come behind ${page.next}.`)
    break
  }

  try {
    await client.getRun({ id: 'r0' })
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    console.log(`There is no such run: ${error.code}.`)
  }
}

main().catch((error: unknown) => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined
  if (error instanceof HoldfastError) console.error(`${url} says ${error.code}: ${error.message}`)
  else if (cause) console.error(`${url} does not answer: ${(cause as NodeJS.ErrnoException).code ?? cause.message}`)
  else throw error
  process.exitCode = 1
})
