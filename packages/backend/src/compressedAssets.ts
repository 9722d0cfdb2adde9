import type { RequestHandler } from 'express';
import { readFile, stat } from 'fs/promises';
import { extname, join } from 'path';
import { promisify } from 'util';
import { brotliCompress, constants } from 'zlib';

const brotli = promisify(brotliCompress);

/** The bundler's names: they change with the content, so what is behind one never does. */
const HASHED = /^\/([\w.-]+)\.[0-9a-f]{8,64}(\.chunk)?\.(js|css)$/;
const TYPES: Record<string, string> = {
  '.js': 'application/javascript; charset=UTF-8',
  '.css': 'text/css; charset=UTF-8',
};
/** Smaller by a tenth than what compressing during the answer can afford. */
const QUALITY = 9;
const YEAR_SECONDS = 31_536_000;

interface Asset {
  /** Size and time of the file: another one is compressed anew. */
  version: string;
  /** Undefined until it is compressed. */
  body?: Buffer;
}

/**
 * Hands out the portal's scripts and style sheets compressed once, from memory,
 * and lets browsers keep them without asking again. Plain Backstage compresses
 * them anew for every browser that comes for the first time. The first request
 * for a file, and every browser that does not know Brotli, is passed on.
 *
 * @param folder - of the built portal's static files
 */
export function compressedAssets(folder: string): RequestHandler {
  const assets = new Map<string, Asset>();

  const compress = async (path: string, asset: Asset) => {
    asset.body = await brotli(await readFile(path), {
      params: { [constants.BROTLI_PARAM_QUALITY]: QUALITY },
    });
  };

  return (req, res, next) => {
    const name = HASHED.exec(req.path)?.[0];
    if (
      !name ||
      !['GET', 'HEAD'].includes(req.method) ||
      !req.acceptsEncodings('br')
    ) {
      next();
      return;
    }
    const path = join(folder, name);
    stat(path).then(
      ({ size, mtimeMs }) => {
        const version = `${size} ${mtimeMs}`;
        const known = assets.get(name);
        if (known?.version !== version) {
          const asset: Asset = { version };
          assets.set(name, asset);
          // It cannot be read any more: the next request tries again.
          compress(path, asset).catch(() => assets.delete(name));
        }
        const body = known?.version === version ? known.body : undefined;
        if (!body) {
          next();
          return;
        }
        res
          .set({
            'Content-Type': TYPES[extname(name)],
            'Content-Encoding': 'br',
            'Cache-Control': `public, max-age=${YEAR_SECONDS}, immutable`,
            Vary: 'Accept-Encoding',
          })
          .send(body);
      },
      // Of an earlier build, perhaps: the app backend keeps those.
      () => next(),
    );
  };
}
