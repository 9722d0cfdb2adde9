import {
  mockCredentials,
  mockErrorHandler,
  mockServices,
} from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import express from 'express';
import request from 'supertest';
import { parse, parseAllDocuments } from 'yaml';
import { PathDirectory } from '../service/PathDirectory';
import { componentEntity, pathEntity } from '../testing/entities';
import { createOpenSloRouter } from './router';

const OBJECTIVES = [
  { sli: 'availability' as const, target: 99.9, windowDays: 28 as const },
  {
    sli: 'latency' as const,
    target: 95,
    thresholdMs: 250,
    percentile: 95,
    windowDays: 7 as const,
  },
  { sli: 'throughput' as const, target: 30, windowDays: 7 as const },
];

function start(
  options: { deny?: boolean; visible?: string[] } = {},
): express.Express {
  const directory = new PathDirectory({
    catalog: catalogServiceMock({
      entities: [
        pathEntity('posting', ['ledger'], { objectives: OBJECTIVES }),
        pathEntity('settlement', ['ledger']),
        componentEntity('ledger'),
      ],
    }),
    auth: mockServices.auth(),
    logger: mockServices.logger.mock(),
  });
  if (options.visible) {
    jest
      .spyOn(directory, 'visibleTo')
      .mockResolvedValue(new Set(options.visible));
  }
  return express()
    .use(
      createOpenSloRouter({
        directory,
        httpAuth: mockServices.httpAuth(),
        permissions: mockServices.permissions.mock({
          authorize: async asked =>
            asked.map(() => ({
              result: options.deny
                ? AuthorizeResult.DENY
                : AuthorizeResult.ALLOW,
            })),
        }),
      }),
    )
    .use(mockErrorHandler());
}

/** Reads an answer as text, whatever its type. */
function asText(call: request.Test): request.Test {
  return call.buffer(true).parse((response, done) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', part => (text += part));
    response.on('end', () => done(null, text));
  });
}

const send = (app: express.Express, body: string, path = 'posting') =>
  request(app)
    .post(`/paths/default/${path}/openslo`)
    .set('content-type', 'application/yaml')
    .send(body);

describe('OpenSLO routes', () => {
  it('exports a path and reads the same objectives back', async () => {
    const app = start();
    const exported = await asText(
      request(app).get('/paths/default/posting/openslo'),
    );
    expect(exported.status).toBe(200);
    expect(exported.headers['content-type']).toContain('application/yaml');
    expect(parseAllDocuments(exported.body).map(d => d.toJS().kind)).toEqual([
      'Service',
      'SLO',
      'SLO',
    ]);
    const imported = await asText(send(app, exported.body));
    expect(imported.status).toBe(200);
    const patch = parse(imported.body);
    expect(patch).toMatchObject({
      apiVersion: 'rocket.internal/v1alpha1',
      kind: 'CriticalPath',
      metadata: { namespace: 'default', name: 'posting' },
    });
    expect(patch.spec.objectives).toHaveLength(3);
    expect(patch.spec.objectives).toEqual(expect.arrayContaining(OBJECTIVES));
  });

  it('exports every path that the caller may see, and no other', async () => {
    const names = async (app: express.Express) => {
      const { body } = await asText(request(app).get('/openslo'));
      return parseAllDocuments(body)
        .map(d => d.toJS())
        .filter(d => d?.kind === 'Service')
        .map(d => d.metadata.name);
    };
    expect(await names(start())).toEqual(['posting', 'settlement']);
    const narrow = start({ visible: ['criticalpath:default/posting'] });
    expect(await names(narrow)).toEqual(['posting']);
    const hidden = await request(narrow).get(
      '/paths/default/settlement/openslo',
    );
    expect(hidden.status).toBe(404);
    expect(await names(start({ visible: [] }))).toEqual([]);
  });

  it.each([
    ['', 'body must be OpenSLO documents'],
    ['a: [', 'documents[0] is not YAML'],
    ['kind: SLO', 'documents[0].apiVersion must be openslo/v1, was missing'],
    [
      '- &a [x]\n- [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a]',
      'documents[0]',
    ],
  ])('refuses %j with the field', async (body, message) => {
    const response = await send(start(), body);
    expect(response.status).toBe(400);
    expect(response.body.error.message).toContain(message);
  });

  it('asks for sign-in and permission', async () => {
    const denied = start({ deny: true });
    for (const call of [
      request(denied).get('/openslo'),
      request(denied).get('/paths/default/posting/openslo'),
      send(denied, 'x'),
    ]) {
      expect((await call).status).toBe(403);
    }
    const open = start();
    for (const call of [
      request(open).get('/openslo'),
      request(open).get('/paths/default/posting/openslo'),
      send(open, 'x'),
    ]) {
      const response = await call.set(
        'authorization',
        mockCredentials.none.header(),
      );
      expect(response.status).toBe(401);
    }
  });
});
