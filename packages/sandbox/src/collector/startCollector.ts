import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { IngestStore, SandboxLogger } from '../ingest/types';
import { Collector } from './Collector';
import { collectorTls } from './certificates';

const DAY = 86_400_000;

export interface CollectorOptions {
  /** Its accounts' license keys are let in. */
  store: IngestStore;
  /** Absolute folder; certificates go to `sandbox/tls/` in it. */
  dataDir: string;
  /** 0 takes any free port. */
  port: number;
  /** Address to listen on. Default 127.0.0.1. */
  host?: string;
  /** How often agents send their events, in milliseconds. Default 2000. */
  reportPeriodMs?: number;
  logger?: SandboxLogger;
  now?: () => number;
}

export interface RunningCollector {
  host: string;
  port: number;
  /** The value for `NODE_EXTRA_CA_CERTS` of the processes that report here. */
  caFile: string;
  /** Closes the port and all connections. */
  stop(): Promise<void>;
}

/**
 * Starts the collector that New Relic agents report to: HTTPS, protocol 17.
 * Agents are sent back to the same address by `preconnect`.
 */
export async function startCollector(
  options: CollectorOptions,
): Promise<RunningCollector> {
  const host = options.host ?? '127.0.0.1';
  const now = options.now ?? Date.now;
  const { caFile, cert, key } = await collectorTls(options.dataDir, now());
  const collector = new Collector(options, now);
  const server = https.createServer(
    { cert, key, minVersion: 'TLSv1.2' },
    (req, res) => void collector.handle(req, res),
  );
  server.headersTimeout = 15_000;
  server.requestTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  collector.redirectHost = `${host}:${port}`;
  server.on('error', error =>
    options.logger?.warn(`The agent collector has a fault: ${error.message}`),
  );
  const renewal = setInterval(async () => {
    try {
      const renewed = await collectorTls(options.dataDir, now());
      server.setSecureContext({ cert: renewed.cert, key: renewed.key });
    } catch (error) {
      options.logger?.warn(
        `The collector's certificate could not be renewed: ${error}`,
      );
    }
  }, DAY);
  renewal.unref();
  return {
    host,
    port,
    caFile,
    async stop() {
      clearInterval(renewal);
      await new Promise<void>(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}
