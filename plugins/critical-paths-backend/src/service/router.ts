import type {
  AuditorService,
  BackstageCredentials,
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { stringifyEntityRef } from '@backstage/catalog-model';
import { NotAllowedError } from '@backstage/errors';
import {
  AuthorizeResult,
  type BasicPermission,
} from '@backstage/plugin-permission-common';
import {
  criticalPathsCollectPermission,
  criticalPathsPolicyManagePermission,
  criticalPathsReadPermission,
  type BoardWindow,
  type CollectResponse,
  type MaintenanceResponse,
} from '@rocket/plugin-critical-paths-common';
import express from 'express';
import Router from 'express-promise-router';
import { Bodies } from './Bodies';
import { boardCsv, signalBoardCsv, teamsCsv } from './csv';
import { pageRequest } from './pages';
import type { BoardFilter, PathService } from './PathService';
import type { PolicyService } from './PolicyService';
import {
  boardQuery,
  componentParams,
  historyQuery,
  maintenanceBody,
  maintenanceParams,
  maintenanceQuery,
  parse,
  pathParams,
  pathQuery,
  reasonInput,
  signalParams,
  windowQuery,
} from './requests';

/** How long a written board is handed out again; ages on it are exact to this. */
const BOARD_SECONDS = 5;
const MAX_BOARDS = 60;
/** Routes of the critical-paths API; `src/schema/openapi.yaml` describes them. */
export async function createRouter(options: {
  service: PathService;
  policy: PolicyService;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
  auditor: AuditorService;
  /** Written pages of paths. */
  pages: Bodies;
  /** Called with the window of every board that is asked for. */
  boardAsked?: (window: BoardWindow) => void;
  /** Starts a collection cycle; false when one is running already. */
  collect: () => Promise<boolean>;
  openapi: object;
  now?: () => number;
}): Promise<express.Router> {
  const { service, policy, pages, httpAuth, permissions, auditor, now } =
    options;
  const boardAsked = options.boardAsked ?? (() => {});
  const boards = new Bodies({ max: MAX_BOARDS, now });
  const router = Router();

  const authorize = async (
    req: express.Request,
    permission: BasicPermission,
  ): Promise<BackstageCredentials> => {
    const credentials = await httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    const [decision] = await permissions.authorize([{ permission }], {
      credentials,
    });
    if (decision.result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(`Permission ${permission.name} is needed`);
    }
    return credentials;
  };
  const readable = (req: express.Request) =>
    authorize(req, criticalPathsReadPermission);
  const formatOf = (req: express.Request, asked?: 'json' | 'csv') =>
    asked ??
    (req.accepts(['application/json', 'text/csv']) === 'text/csv'
      ? 'csv'
      : 'json');
  /** Writes the change down in the audit log, whether it succeeds or not. */
  const audited = async <T>(
    req: express.Request,
    eventId: string,
    meta: Record<string, string>,
    work: () => Promise<T>,
  ): Promise<T> => {
    const event = await auditor.createEvent({
      eventId,
      severityLevel: 'medium',
      request: req,
      meta,
    });
    try {
      const result = await work();
      await event.success({ meta: { result: JSON.stringify(result) } });
      boards.clear();
      pages.clear();
      return result;
    } catch (error) {
      await event.fail({ error: error as Error });
      throw error;
    }
  };

  router.get('/openapi.json', async (req, res) => {
    await httpAuth.credentials(req, { allow: ['user', 'service'] });
    res.json(options.openapi);
  });

  /** One written board, kept for a few seconds; `kind` names it. */
  const sendBoard = async <T>(
    req: express.Request,
    res: express.Response,
    credentials: BackstageCredentials,
    kind: string,
    board: {
      /** Start of the name of the file, for spreadsheets. */
      file: string;
      key: PathService['boardKey'];
      make: (
        window: BoardWindow,
        filter: BoardFilter,
        credentials: BackstageCredentials,
      ) => Promise<T>;
      csv: (made: T) => string;
    },
  ): Promise<void> => {
    const { window, format, ...filter } = parse(
      boardQuery,
      'query parameter',
      req.query,
    );
    const type = formatOf(req, format);
    boardAsked(window);
    const key = await board.key(window, filter, credentials, BOARD_SECONDS);
    await boards.send(req, res, {
      key: `${kind} ${key}`,
      version: 0,
      type,
      filename: type === 'csv' ? `${board.file}-${window}.csv` : undefined,
      freshMs: BOARD_SECONDS * 1000,
      make: async () => {
        const made = await board.make(window, filter, credentials);
        return type === 'csv' ? board.csv(made) : (made as object);
      },
    });
  };

  router.get('/paths', async (req, res) => {
    await sendBoard(req, res, await readable(req), 'paths', {
      file: 'critical-paths',
      key: (...asked) => service.boardKey(...asked),
      make: (...asked) => service.board(...asked),
      csv: boardCsv,
    });
  });

  router.get('/boards/:signal', async (req, res) => {
    const credentials = await readable(req);
    const { signal } = parse(signalParams, 'path parameter', req.params);
    await sendBoard(req, res, credentials, signal, {
      file: signal,
      key: (...asked) => service.boardKey(...asked),
      make: (...asked) => service.signalBoard(signal, ...asked),
      csv: signalBoardCsv,
    });
  });

  router.get('/teams', async (req, res) => {
    await sendBoard(req, res, await readable(req), 'teams', {
      file: 'teams',
      key: (...asked) => service.teamsKey(...asked),
      make: (...asked) => service.teams(...asked),
      csv: teamsCsv,
    });
  });

  router.get('/paths/:namespace/:name', async (req, res) => {
    const credentials = await readable(req);
    const params = parse(pathParams, 'path parameter', req.params);
    const { window, format } = parse(pathQuery, 'query parameter', req.query);
    const pathRef = stringifyEntityRef({ kind: 'criticalpath', ...params });
    await pages.send(
      req,
      res,
      await pageRequest(
        service,
        pathRef,
        window,
        credentials,
        formatOf(req, format),
      ),
    );
  });

  router.get('/paths/:namespace/:name/history', async (req, res) => {
    const credentials = await readable(req);
    const params = parse(pathParams, 'path parameter', req.params);
    const { months } = parse(historyQuery, 'query parameter', req.query);
    res.json(
      await service.history(
        stringifyEntityRef({ kind: 'criticalpath', ...params }),
        months,
        credentials,
      ),
    );
  });

  router.get('/components/:kind/:namespace/:name/paths', async (req, res) => {
    const credentials = await readable(req);
    const params = parse(componentParams, 'path parameter', req.params);
    const { window } = parse(windowQuery, 'query parameter', req.query);
    res.json(
      await service.pathsOfComponent(
        stringifyEntityRef(params),
        window,
        credentials,
      ),
    );
  });

  router.get('/maintenance', async (req, res) => {
    const credentials = await readable(req);
    const { pathRef } = parse(maintenanceQuery, 'query parameter', req.query);
    const answer: MaintenanceResponse = {
      windows: await policy.list(credentials, pathRef),
    };
    res.json(answer);
  });

  // Before the body is read: an unknown caller cannot make the server parse it.
  const manage: express.RequestHandler = async (req, _res, next) => {
    await authorize(req, criticalPathsPolicyManagePermission);
    next();
  };
  const body = express.json({ limit: '10kb' });

  router.post('/maintenance', manage, body, async (req, res) => {
    const credentials = await httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    const input = parse(maintenanceBody, 'body field', req.body);
    const window = await audited(
      req,
      'maintenance-declare',
      { pathRef: input.pathRef, reason: input.reason },
      () => policy.declare(input, whoIs(credentials), credentials),
    );
    res.status(201).json(window);
  });

  router.delete('/maintenance/:id', manage, async (req, res) => {
    const credentials = await httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    const { id } = parse(maintenanceParams, 'path parameter', req.params);
    const { reason } = parse(reasonInput, 'query parameter', req.query);
    res.json(
      await audited(req, 'maintenance-withdraw', { id, reason }, () =>
        policy.withdraw(id, credentials),
      ),
    );
  });

  router.post(
    '/paths/:namespace/:name/budget-reset',
    manage,
    body,
    async (req, res) => {
      const credentials = await httpAuth.credentials(req, {
        allow: ['user', 'service'],
      });
      const params = parse(pathParams, 'path parameter', req.params);
      const { reason } = parse(reasonInput, 'body field', req.body);
      const pathRef = stringifyEntityRef({ kind: 'criticalpath', ...params });
      res
        .status(201)
        .json(
          await audited(req, 'budget-reset', { pathRef, reason }, () =>
            policy.resetBudget(
              pathRef,
              reason,
              whoIs(credentials),
              credentials,
            ),
          ),
        );
    },
  );

  router.post('/collect', async (req, res) => {
    await authorize(req, criticalPathsCollectPermission);
    const answer: CollectResponse = {
      status: (await options.collect()) ? 'triggered' : 'already-running',
    };
    res.status(202).json(answer);
  });

  return router;
}

/** Entity ref of a user, or the subject of a service. */
function whoIs({ principal }: BackstageCredentials): string {
  const { userEntityRef, subject } = principal as {
    userEntityRef?: string;
    subject?: string;
  };
  return userEntityRef ?? subject ?? 'unknown';
}
