import type {
  AuditorService,
  BackstageCredentials,
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { stringifyEntityRef } from '@backstage/catalog-model';
import { NotAllowedError, NotFoundError } from '@backstage/errors';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import {
  criticalPathsReadPermission,
  type AlertsResponse,
  type BoardRow,
  type GateResponse,
  type PathState,
} from '@rocket/plugin-critical-paths-common';
import type express from 'express';
import Router from 'express-promise-router';
import type { BudgetService } from '../service/BudgetService';
import type { PathService } from '../service/PathService';
import {
  alertsQuery,
  componentParams,
  gateQuery,
  parse,
} from '../service/requests';
import type { AlertStore } from './AlertStore';
import { judgeGate, type GatePath } from './gate';
import type { AlertSettings } from './settings';

const MAX_ALERTS = 200;

/** States in which nobody can say how a path is. */
const UNSEEN: ReadonlySet<PathState> = new Set<PathState>([
  'no-data',
  'stale',
  'unknown',
]);

/** Routes about alerts and the gate for deployments; `src/schema/openapi.yaml` describes them. */
export function createAlertRouter(options: {
  alerts: AlertStore;
  budgets: Pick<BudgetService, 'budgets'>;
  service: Pick<PathService, 'board' | 'pathsOfComponent'>;
  catalog: Pick<CatalogService, 'getEntityByRef'>;
  settings: AlertSettings;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
  auditor: AuditorService;
}): express.Router {
  const { alerts, budgets, service, catalog, settings } = options;
  const { httpAuth, permissions, auditor } = options;
  const router = Router();

  const readable = async (
    req: express.Request,
  ): Promise<BackstageCredentials> => {
    const credentials = await httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    const [decision] = await permissions.authorize(
      [{ permission: criticalPathsReadPermission }],
      { credentials },
    );
    if (decision.result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(
        `Permission ${criticalPathsReadPermission.name} is needed`,
      );
    }
    return credentials;
  };

  router.get('/alerts', async (req, res) => {
    const credentials = await readable(req);
    const { pathRef } = parse(alertsQuery, 'query parameter', req.query);
    // Who may not see a path hears nothing of its alerts.
    const { rows } = await service.board('1h', {}, credentials);
    const visible = new Map(rows.map(row => [row.entityRef, row]));
    const listed = await alerts.list({ pathRef, limit: MAX_ALERTS });
    const answer: AlertsResponse = {
      alerts: listed.flatMap(alert => {
        const path = visible.get(alert.pathRef);
        return path
          ? [{ ...alert, pathTitle: path.title, owner: path.owner }]
          : [];
      }),
    };
    res.json(answer);
  });

  /** The paths of a component, or the path itself. */
  const pathsOf = async (
    entityRef: string,
    credentials: BackstageCredentials,
  ): Promise<BoardRow[]> => {
    if (!entityRef.startsWith('criticalpath:')) {
      const { rows } = await service.pathsOfComponent(
        entityRef,
        '1h',
        credentials,
      );
      return rows.map(({ path }) => path);
    }
    const { rows } = await service.board('1h', {}, credentials);
    const found = rows.filter(row => row.entityRef === entityRef);
    if (found.length === 0) {
      throw new NotFoundError(`No critical path ${entityRef} in the catalog`);
    }
    return found;
  };

  const judge = async (
    entityRef: string,
    credentials: BackstageCredentials,
  ): Promise<GateResponse> => {
    const [rows, { paths }] = await Promise.all([
      pathsOf(entityRef, credentials),
      budgets.budgets(),
    ]);
    const judged = rows.flatMap((path): GatePath[] => {
      const budget = paths.get(path.entityRef);
      return budget
        ? [
            {
              budget,
              maintenance: path.maintenance !== null,
              unseen: UNSEEN.has(path.state)
                ? `nobody can see how it is: ${path.stateReasons[0]}.`
                : undefined,
            },
          ]
        : [];
    });
    const isKnown =
      rows.length > 0 ||
      (await catalog.getEntityByRef(entityRef, { credentials })) !== undefined;
    return judgeGate(entityRef, judged, settings.gate, new Date(), isKnown);
  };

  router.get('/gate/:kind/:namespace/:name', async (req, res) => {
    const credentials = await readable(req);
    const entityRef = stringifyEntityRef(
      parse(componentParams, 'path parameter', req.params),
    );
    const { preview } = parse(gateQuery, 'query parameter', req.query);
    if (preview) {
      res.json(await judge(entityRef, credentials));
      return;
    }
    // A deployment went on, or did not, because of the answer: it is written down.
    const event = await auditor.createEvent({
      eventId: 'gate',
      severityLevel: 'low',
      request: req,
      meta: { entityRef },
    });
    try {
      const answer = await judge(entityRef, credentials);
      await event.success({
        meta: {
          decision: answer.decision,
          reasons: answer.reasons.map(reason => reason.message),
        },
      });
      res.json(answer);
    } catch (error) {
      await event.fail({ error: error as Error });
      throw error;
    }
  });

  return router;
}
