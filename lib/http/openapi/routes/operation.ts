import { STATE_HEADERS } from '../headers.ts'
import type { RouteDocs } from '../route-doc.ts'
import { sampleTime, source } from '../samples.ts'
import { Health, Ready, Status } from '../schemas/sync.ts'
import { OpenApi } from '../schemas/openapi.ts'

const JSON_TYPE = 'application/json'
const HTML_TYPE = 'text/html'

export const OPERATION_DOCS: RouteDocs = {
  'GET /': {
    tag: 'Operation',
    id: 'getLanding',
    description: 'A page that lists the routes, for a person who opens the address in a browser.',
    answers: [{ status: 200, description: 'The page.', content: { [HTML_TYPE]: 'text' }, headers: ['Cache-Control'] }],
    examples: [{ summary: 'The page', path: '/', type: HTML_TYPE, answer: '<!doctype html>…' }],
  },
  'GET /docs': {
    tag: 'Operation',
    id: 'getDocs',
    description: 'This documentation as a page, without anything about the tables that are mirrored here.',
    answers: [
      { status: 200, description: 'The page.', content: { [HTML_TYPE]: 'text' }, headers: ['Cache-Control', 'ETag'] },
      { status: 304, description: 'It is what the client has.', headers: ['Cache-Control', 'ETag'] },
    ],
    examples: [{ summary: 'The page', path: '/docs', type: HTML_TYPE, answer: '<!doctype html>…' }],
  },
  'GET /openapi.json': {
    tag: 'Operation',
    id: 'getOpenApi',
    description:
      'This document: OpenAPI 3.1, with the tables and columns that the key sees. Requests in `x-examples` can be sent as they stand.',
    answers: [
      {
        status: 200,
        description: 'The document.',
        content: { [JSON_TYPE]: OpenApi },
        headers: ['Cache-Control', 'ETag', 'Vary', 'Content-Encoding'],
      },
      { status: 304, description: 'It is what the client has.', headers: ['Cache-Control', 'ETag', 'Vary'] },
    ],
    failures: ['not_acceptable'],
    examples: [
      {
        summary: 'The document',
        path: '/openapi.json',
        answer: { openapi: '3.1.1', info: { title: 'Holdfast', version: '0.1.0' }, paths: {}, components: {} },
      },
    ],
  },
  'GET /health': {
    tag: 'Operation',
    id: 'getHealth',
    description: 'Always 200 while the process is up, also when it is draining. Depends on no data.',
    answers: [{ status: 200, description: 'It is up.', content: { [JSON_TYPE]: Health }, headers: STATE_HEADERS }],
    examples: [
      {
        summary: 'Whether it is up',
        path: '/health',
        answer: {
          status: 'healthy',
          version: '0.1.0',
          uptime_seconds: 25,
          draining: false,
          cache_exists: true,
          update_in_progress: false,
        },
      },
    ],
  },
  'GET /ready': {
    tag: 'Operation',
    id: 'getReady',
    description:
      '200 when every source has a snapshot mounted here and the process is not shutting down; else 503, naming what is `missing` or `stale`. Age counts only where `READY_MAX_AGE` is set.',
    answers: [{ status: 200, description: 'It is ready.', content: { [JSON_TYPE]: Ready }, headers: STATE_HEADERS }],
    failures: ['draining', 'no_snapshot', 'snapshot_stale'],
    examples: [{ summary: 'Whether it is ready', path: '/ready', answer: { status: 'ready', sources: ['cities'] } }],
  },
  'GET /status': {
    tag: 'Operation',
    id: 'getStatus',
    description:
      'Everything about every source, and what a person should look at. The members in front are about the first source.',
    answers: [{ status: 200, description: 'The status.', content: { [JSON_TYPE]: Status }, headers: STATE_HEADERS }],
    examples: [
      {
        summary: 'All of it',
        path: '/status',
        answer: {
          api_status: 'online',
          cache_exists: true,
          cache_age_minutes: 0,
          update_in_progress: false,
          timestamp: sampleTime,
          version: '0.1.0',
          uptime_seconds: 25,
          streams: 0,
          sources: [source],
          warnings: [],
        },
      },
    ],
  },
  'GET /metrics': {
    tag: 'Operation',
    id: 'getMetrics',
    description: 'Prometheus metrics of the process that answers.',
    answers: [{ status: 200, description: 'Metrics.', content: { 'text/plain': 'text' }, headers: STATE_HEADERS }],
    examples: [
      {
        summary: 'All of them',
        path: '/metrics',
        type: 'text/plain',
        answer: '# HELP holdfast_snapshot_age_seconds …\n# TYPE holdfast_snapshot_age_seconds gauge\n…',
      },
    ],
  },
}
