import { X509Certificate, createPrivateKey } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generate } from 'selfsigned';

const DAY = 86_400_000;
const CA_DAYS = 3650;
const SERVER_DAYS = 397;
/** A certificate with less time left is made anew. */
const RENEW_DAYS = 30;

/** What the collector needs for TLS. */
export interface CollectorTls {
  /** PEM file of the authority; the value for `NODE_EXTRA_CA_CERTS`. */
  caFile: string;
  /** PEM of the server's certificate. */
  cert: string;
  /** PEM of the server's private key. */
  key: string;
}

/**
 * The collector's authority and server certificate, for localhost, 127.0.0.1
 * and ::1, in `<dataDir>/sandbox/tls/`. They are made once and used again;
 * the server's is renewed thirty days before it ends, the authority's too,
 * which then needs a restart of the services that trust it.
 * Keys are readable by the owner only.
 */
export async function collectorTls(
  dataDir: string,
  now: number = Date.now(),
): Promise<CollectorTls> {
  const folder = join(dataDir, 'sandbox', 'tls');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const files = {
    ca: join(folder, 'ca.pem'),
    caKey: join(folder, 'ca-key.pem'),
    cert: join(folder, 'server.pem'),
    key: join(folder, 'server-key.pem'),
  };
  let authority = await readPair(files.ca, files.caKey, now);
  if (!authority) {
    authority = await makeAuthority(now);
    await writePair(files.ca, files.caKey, authority);
  }
  let server = await readPair(files.cert, files.key, now);
  if (!server || !issuedBy(server.cert, authority.cert)) {
    server = await makeServer(authority, now);
    await writePair(files.cert, files.key, server);
  }
  return { caFile: files.ca, ...server };
}

interface Pair {
  cert: string;
  key: string;
}

async function readPair(
  certFile: string,
  keyFile: string,
  now: number,
): Promise<Pair | undefined> {
  try {
    const cert = await readFile(certFile, 'utf8');
    const key = await readFile(keyFile, 'utf8');
    const x509 = new X509Certificate(cert);
    const usable =
      x509.checkPrivateKey(createPrivateKey(key)) &&
      Date.parse(x509.validFrom) <= now &&
      Date.parse(x509.validTo) - now > RENEW_DAYS * DAY;
    return usable ? { cert, key } : undefined;
  } catch {
    // Missing or damaged: both are made anew.
    return undefined;
  }
}

function issuedBy(cert: string, ca: string): boolean {
  const authority = new X509Certificate(ca);
  const x509 = new X509Certificate(cert);
  return x509.checkIssued(authority) && x509.verify(authority.publicKey);
}

async function makeAuthority(now: number): Promise<Pair> {
  const { cert, private: key } = await generate(
    [{ name: 'commonName', value: 'Rocket sandbox authority' }],
    {
      keyType: 'ec',
      algorithm: 'sha256',
      // An hour back, for clocks that are a little behind.
      notBeforeDate: new Date(now - DAY / 24),
      notAfterDate: new Date(now + CA_DAYS * DAY),
      extensions: [
        {
          name: 'basicConstraints',
          cA: true,
          pathLenConstraint: 0,
          critical: true,
        },
        { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
      ],
    },
  );
  return { cert, key };
}

async function makeServer(authority: Pair, now: number): Promise<Pair> {
  const { cert, private: key } = await generate(
    [{ name: 'commonName', value: 'localhost' }],
    {
      keyType: 'ec',
      algorithm: 'sha256',
      notBeforeDate: new Date(now - DAY / 24),
      notAfterDate: new Date(now + SERVER_DAYS * DAY),
      ca: { cert: authority.cert, key: authority.key },
      extensions: [
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', serverAuth: true },
        {
          name: 'subjectAltName',
          altNames: [
            { type: 2, value: 'localhost' },
            { type: 7, ip: '127.0.0.1' },
            { type: 7, ip: '::1' },
          ],
        },
      ],
    },
  );
  return { cert, key };
}

// The key first: a certificate without its key would not be used again.
async function writePair(certFile: string, keyFile: string, pair: Pair) {
  await writeAtomically(keyFile, pair.key, 0o600);
  await writeAtomically(certFile, pair.cert, 0o644);
}

async function writeAtomically(file: string, text: string, mode: number) {
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, text, { mode });
  await chmod(temporary, mode);
  await rename(temporary, file);
}
