import { lookup as lookupName, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/**
 * Addresses that a target does not reach unless its configuration says so: this
 * machine, link-local ones with the metadata services of the clouds, multicast
 * and reserved ones. Private networks are where services live and stay open.
 */
const REFUSED = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['192.0.0.0', 24],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['100.100.100.200', 32],
] as const) {
  REFUSED.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 128],
  ['::1', 128],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
  ['64:ff9b::', 96],
  ['fd00:ec2::254', 128],
  ['fd20:ce::254', 128],
] as const) {
  REFUSED.addSubnet(network, prefix, 'ipv6');
}

function holds(list: BlockList, address: string): boolean {
  // A v4 address inside a v6 one is held against the rules for v4 by BlockList itself.
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** Says which addresses requests may go to. */
export class AddressPolicy {
  readonly #allowed = new BlockList();

  /**
   * @param allowed - networks such as `127.0.0.0/8` that are open although they would be refused
   * @throws Error when one of them is no network
   */
  constructor(allowed: string[] = []) {
    for (const network of allowed) {
      const [address, prefix, ...rest] = network.split('/');
      const family = isIP(address);
      const bits = prefix === undefined ? NaN : Number(prefix);
      if (
        family === 0 ||
        rest.length > 0 ||
        (prefix !== undefined &&
          !(
            /^\d+$/.test(prefix) &&
            bits >= 0 &&
            bits <= (family === 4 ? 32 : 128)
          ))
      ) {
        throw new Error(
          `must be a network such as 127.0.0.0/8 or ::1, was ${JSON.stringify(
            network,
          )}`,
        );
      }
      const type = family === 4 ? 'ipv4' : 'ipv6';
      if (prefix === undefined) {
        this.#allowed.addAddress(address, type);
      } else {
        this.#allowed.addSubnet(address, bits, type);
      }
    }
  }

  permits(address: string): boolean {
    return !holds(REFUSED, address) || holds(this.#allowed, address);
  }

  /** @throws Error when the host is an address that is refused; names are checked when they are looked up. */
  assertHost(hostname: string): void {
    const host = hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !this.permits(host)) {
      throw new Error(refusal(host, host));
    }
  }

  /**
   * A `lookup` for `net.connect`. The connection goes to the very address that
   * was checked, so a name cannot point elsewhere a moment later.
   */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    lookupName(
      hostname,
      { family: options.family, hints: options.hints, all: true },
      (error, found: LookupAddress[]) => {
        if (error) {
          callback(error, '', 0);
          return;
        }
        const open = found.filter(({ address }) => this.permits(address));
        if (open.length === 0) {
          callback(
            new Error(refusal(hostname, found.map(f => f.address).join(', '))),
            '',
            0,
          );
        } else if (options.all) {
          callback(null, open);
        } else {
          callback(null, open[0].address, open[0].family);
        }
      },
    );
  };
}

function refusal(host: string, address: string): string {
  return `${
    host === address ? address : `${host} (${address})`
  } is not an address that workflows may reach; allow it in allowAddresses of the target`;
}
