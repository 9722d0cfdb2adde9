/**
 * Both services as they run in production: bearer tokens, RabbitMQ between them, and the conformance suite on each with everything that
 * it can ask. No check of the suite may be left out here.
 */
import path from 'node:path';
import { Issuer } from './issuer';
import { brokerAway } from './outage';
import { RabbitMq } from './rabbitmq';
import { equal, type Report } from './report';
import { conformance, RunningService } from './running';
import { TEMPLATES } from './templates';

const SCOPES = ['transactions', 'authorizations'].flatMap(name => [
  `${name}:read`,
  `${name}:write`,
]);

export async function runPair(
  report: Report,
  roots: { transaction: string; authorization: string },
): Promise<void> {
  const issuer = new Issuer();
  await issuer.start();
  let broker: RabbitMq | undefined;
  const services: RunningService[] = [];
  try {
    const missing = RabbitMq.missing();
    if (missing) report.notRun('both services: events over RabbitMQ', missing);
    else
      await report.check('both services: RabbitMQ starts', async () => {
        broker = await RabbitMq.start();
      });
    const settings = {
      ...issuer.settings,
      ...(broker && { EVENT_BROKER: 'rabbitmq', RABBITMQ_URL: broker.url }),
    };
    const ready = await report.check(
      'both services: start with tokens and a broker',
      async () => {
        for (const kind of ['transaction', 'authorization'] as const) {
          // Both are rendered with the same answers; a service's queue has its name.
          const named = { ROCKET_SERVICE_NAME: `rig-${kind}` };
          services.push(
            await RunningService.start(roots[kind], { ...settings, ...named }),
          );
        }
        await Promise.all(services.map(service => service.untilReady()));
      },
    );
    if (!ready) return;
    const [transaction, authorization] = services;
    const tokens = {
      TOKEN: issuer.token('conformance', SCOPES),
      TOKEN_OF_ANOTHER: issuer.token('somebody-else', SCOPES),
      TOKEN_WITHOUT_SCOPE: issuer.token('nobody', []),
      ...(broker && { RELAY: 'broker' }),
    };
    const connected = broker;
    if (connected)
      await report.check(
        'both services: work on while RabbitMQ is away, and nothing is lost or told twice',
        () =>
          brokerAway(
            { transaction: transaction.url, authorization: authorization.url },
            tokens.TOKEN,
            connected,
          ),
      );
    // The ledger first: its run needs the other one, and each run ends its own service.
    for (const [kind, service, more] of [
      [
        'transaction',
        transaction,
        { AUTHORIZATION_BASE_URL: authorization.url },
      ],
      ['authorization', authorization, {}],
    ] as const) {
      await report.check(
        `both services: the conformance suite on the ${kind} service, nothing left out`,
        async () => {
          const { summary, notTried } = await conformance(
            kind,
            service,
            // Those of both; a rendering has only its own.
            path.join(TEMPLATES, 'contracts'),
            { ...tokens, ...more },
          );
          summary.forEach(line => report.note(line));
          equal(notTried, [], 'what was not tried');
        },
      );
      await report.check(
        `both services: SIGTERM ends the ${kind} service with 0`,
        () => service.drained(),
      );
    }
  } finally {
    for (const service of services) await service.stop();
    await broker?.stop();
    await issuer.stop();
  }
}
