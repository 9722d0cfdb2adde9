import { pipeline, Transform } from 'node:stream';
import express, { type Request, type Response } from 'express';
import Router from 'express-promise-router';
import type {
  AuditorService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { NotAllowedError } from '@backstage/errors';
import { SERVICE_NAME_PATTERN } from '@rocket/plugin-provisioning-common';
import { git, gitEnvironment } from './gitCommand';
import { startCgi } from './cgi';
import type { GitHost } from './GitHost';
import type { GitAccess } from './GitAccess';

export interface GitLimits {
  /** Largest body of one request, and largest pack, in bytes. */
  maxRequestBytes: number;
  /** Longest time one request may take, in milliseconds. */
  timeoutMs: number;
  /** Git processes at the same time. */
  maxConcurrent: number;
}

/** The smart protocol's requests, and nothing else of what http-backend can do. */
type GitRequest = {
  name: string;
  service: 'git-upload-pack' | 'git-receive-pack';
  path: string;
  advertisement: boolean;
};

const SERVICES = ['git-upload-pack', 'git-receive-pack'] as const;

/**
 * Git over HTTP through Git's own `git http-backend`. Mounted without
 * Backstage's authentication, because Git clients speak Basic; `GitAccess`
 * checks every request.
 */
export async function createGitRouter(options: {
  host: GitHost;
  access: GitAccess;
  auditor: AuditorService;
  logger: LoggerService;
  limits: GitLimits;
}): Promise<express.Router> {
  const { host, access, auditor, logger, limits } = options;
  const execPath = (await git(['--exec-path'])).trim();
  const backend = `${execPath}/git-http-backend`;
  let running = 0;

  const router = Router();
  router.use(async (req, res) => {
    const request = parseRequest(req);
    if (typeof request === 'string') {
      sendText(res, 404, request);
      return;
    }
    const write = request.service === 'git-receive-pack';
    let actor: string | undefined;
    try {
      actor = await access.authenticate(req, request.name, write);
    } catch (error) {
      if (!(error instanceof NotAllowedError)) throw error;
      sendText(res, 403, error.message);
      return;
    }
    if (actor === undefined) {
      res.setHeader(
        'WWW-Authenticate',
        'Basic realm="Rocket Git", charset="UTF-8"',
      );
      sendText(
        res,
        401,
        'Give a Git token of Rocket as the password; any user name will do. Tokens are short-lived: ask for a new one.',
      );
      return;
    }
    if (!(await host.find(request.name))) {
      sendText(res, 404, `There is no repository '${request.name}'`);
      return;
    }
    if (Number(req.headers['content-length'] ?? 0) > limits.maxRequestBytes) {
      sendTooLarge(res, limits);
      return;
    }
    if (running >= limits.maxConcurrent) {
      res.setHeader('Retry-After', '5');
      sendText(
        res,
        503,
        'Too many Git requests at once; try again in a moment',
      );
      return;
    }
    running += 1;
    try {
      const push =
        write && !request.advertisement
          ? await auditor.createEvent({
              eventId: 'repository-push',
              severityLevel: 'low',
              request: req,
              meta: { repository: request.name, actor },
            })
          : undefined;
      const outcome = await serve(req, res, {
        backend,
        env: cgiEnvironment(req, request, host.root, actor, limits),
        limits,
      });
      if (outcome) {
        logger.warn(`git ${request.service} on ${request.name}: ${outcome}`);
        await push?.fail({ error: new Error(outcome) });
      } else {
        await push?.success();
      }
    } finally {
      running -= 1;
    }
  });
  return router;
}

function parseRequest(req: Request): GitRequest | string {
  // The raw path: an escaped slash or dot never becomes one.
  const match =
    /^\/([^/]+)\.git\/(info\/refs|git-upload-pack|git-receive-pack)$/.exec(
      req.path,
    );
  if (!match || !SERVICE_NAME_PATTERN.test(match[1])) {
    return 'Only <name>.git is served here, over the smart protocol';
  }
  const [, name, path] = match;
  if (path === 'info/refs') {
    const service = SERVICES.find(s => s === req.query.service);
    if (req.method !== 'GET' || !service) {
      return 'The dumb protocol is not served; use Git 1.6.6 or newer';
    }
    return { name, service, path, advertisement: true };
  }
  const service = SERVICES.find(s => s === path)!;
  if (
    req.method !== 'POST' ||
    req.headers['content-type'] !== `application/x-${service}-request`
  ) {
    return 'This path takes only the requests of a Git client';
  }
  return { name, service, path, advertisement: false };
}

function cgiEnvironment(
  req: Request,
  request: GitRequest,
  root: string,
  actor: string,
  limits: GitLimits,
): Record<string, string> {
  const write = request.service === 'git-receive-pack';
  const env: Record<string, string> = {
    ...gitEnvironment({
      'http.getanyfile': 'false',
      'http.uploadpack': write ? 'false' : 'true',
      'http.receivepack': write ? 'true' : 'false',
      'receive.fsckObjects': 'true',
      'receive.maxInputSize': String(limits.maxRequestBytes),
    }),
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    GATEWAY_INTERFACE: 'CGI/1.1',
    REQUEST_METHOD: req.method,
    PATH_INFO: `/${request.name}.git/${request.path}`,
    QUERY_STRING: request.advertisement ? `service=${request.service}` : '',
    REMOTE_USER: actor,
    REMOTE_ADDR: req.socket.remoteAddress ?? '',
  };
  if (!request.advertisement) {
    env.CONTENT_TYPE = `application/x-${request.service}-request`;
    const length = req.headers['content-length'];
    if (length && /^\d+$/.test(length)) env.CONTENT_LENGTH = length;
    const encoding = req.headers['content-encoding'];
    if (encoding === 'gzip' || encoding === 'x-gzip') {
      env.HTTP_CONTENT_ENCODING = encoding;
    }
  }
  const protocol = req.headers['git-protocol'];
  if (typeof protocol === 'string' && /^version=[0-2]$/.test(protocol)) {
    env.GIT_PROTOCOL = protocol;
  }
  return env;
}

/** Streams one request through the CGI program. Answers what went wrong, if anything. */
async function serve(
  req: Request,
  res: Response,
  options: { backend: string; env: Record<string, string>; limits: GitLimits },
): Promise<string | undefined> {
  const { limits } = options;
  const cgi = startCgi(options.backend, options.env);
  let problem: string | undefined;
  const stop = (why: string) => {
    problem ??= why;
    cgi.kill();
  };
  const timer = setTimeout(() => stop('took too long'), limits.timeoutMs);
  res.once('close', () => {
    if (!res.writableFinished) stop('the client went away');
  });

  let received = 0;
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      received += chunk.length;
      if (received <= limits.maxRequestBytes) {
        callback(undefined, chunk);
        return;
      }
      stop('the request is too large');
      callback(new Error('too large'));
    },
  });
  // Errors show in the program's answer; what the client still sends is dropped.
  pipeline(req, bounded, cgi.stdin, () => req.resume());

  try {
    const answer = await cgi.answer();
    res.status(answer.status);
    for (const [key, value] of answer.headers) res.setHeader(key, value);
    res.write(answer.head);
    await new Promise<void>(resolve => {
      pipeline(answer.body, res, error => {
        if (error) stop('the answer was cut off');
        resolve();
      });
    });
    await cgi.ended;
  } catch (error) {
    stop(cgi.stderr() || String(error));
    await cgi.ended;
    if (problem === 'the request is too large') sendTooLarge(res, limits);
    else if (problem === 'took too long') {
      sendText(res, 504, 'The Git request took too long');
    } else {
      sendText(res, 500, 'Git failed; the reason is in the backend log');
    }
  } finally {
    clearTimeout(timer);
    cgi.kill();
  }
  return problem;
}

function sendTooLarge(res: Response, limits: GitLimits) {
  res.setHeader('Connection', 'close');
  sendText(
    res,
    413,
    `The request is larger than ${Math.floor(
      limits.maxRequestBytes / 1024 / 1024,
    )} MiB (provisioning.git.maxRequestBytes)`,
  );
}

function sendText(res: Response, status: number, text: string) {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  res.status(status).type('text/plain').setHeader('Cache-Control', 'no-store');
  res.end(`${text}\n`);
}
