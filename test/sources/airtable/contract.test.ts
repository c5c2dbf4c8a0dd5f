import { globalAgent } from 'node:http'
import type { AirtableMode } from '../../../lib/settings.ts'
import { Base } from '../../../simulators/airtable/base.ts'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import { sourceContract, type ContractSubject } from '../source-contract.ts'
import { Upstream } from './upstream.ts'

for (const mode of ['polling', 'webhook'] satisfies AirtableMode[]) {
  sourceContract(
    `an Airtable base (${mode})`,
    () => subject(mode, generateBase({ seed: 3, records: 420 })),
    () => subject(mode, baseWithoutRecords()),
  )
}

async function subject(mode: AirtableMode, base: Base): Promise<ContractSubject> {
  const upstream = await Upstream.start(base)
  return {
    source: upstream.source({ mode }),
    dispose: () => upstream[Symbol.asyncDispose](),
    heldResources: () => connectionsInUse(new URL(upstream.sim.url).port),
  }
}

function connectionsInUse(port: string): number {
  return Object.entries(globalAgent.sockets).flatMap(([name, sockets]) => (name.includes(`:${port}:`) ? sockets : []))
    .length
}

function baseWithoutRecords(): Base {
  const base = new Base({ seed: 4 })
  for (const name of ['Orders', 'Drafts', 'Notes']) {
    base.createTable({ name, fields: [{ name: 'Name', type: 'singleLineText' }] })
  }
  return base
}
