import { readinessOf, type DeploymentState, type PodState } from './readiness';

const deployment = (
  status: DeploymentState['status'] = {},
  generation = 1,
): DeploymentState => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'ledger', generation },
  spec: { replicas: 2 },
  status: { observedGeneration: generation, ...status },
});
const READY = { replicas: 2, updatedReplicas: 2, availableReplicas: 2 };

const pod = (container: object, status: object = {}): PodState =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'ledger-1' },
    status: {
      containerStatuses: [
        {
          name: 'service',
          image: 'r.example.com/x',
          ready: false,
          ...container,
        },
      ],
      ...status,
    },
  } as PodState);
const waiting = (reason: string, message?: string) => ({
  state: { waiting: { reason, message } },
});

describe('readinessOf', () => {
  it('is ready when all instances are of this version and available', () => {
    expect(readinessOf(deployment(READY), [])).toEqual({
      ready: true,
      problems: [],
      progress: '2 of 2 instances are ready',
    });
  });

  it.each([
    ['one is missing', { ...READY, availableReplicas: 1 }],
    ['one is of the version before', { ...READY, updatedReplicas: 1 }],
    ['an old one is still there', { ...READY, replicas: 3 }],
    ['the controller has not seen it', { ...READY, observedGeneration: 0 }],
    ['nothing is known', {}],
  ])('is not ready while %s', (_, status) => {
    expect(readinessOf(deployment(status), []).ready).toBe(false);
  });

  it.each([
    ['ImagePullBackOff', pod(waiting('ImagePullBackOff')), /cannot be pulled/],
    ['ErrImagePull', pod(waiting('ErrImagePull')), /cannot be pulled/],
    ['InvalidImageName', pod(waiting('InvalidImageName')), /no valid name/],
    [
      'CrashLoopBackOff',
      pod({
        ...waiting('CrashLoopBackOff'),
        restartCount: 4,
        lastState: { terminated: { reason: 'Error', exitCode: 7 } },
      }),
      /ends again and again after its start; it ended with code 7/,
    ],
    [
      'CrashLoopBackOff',
      pod({
        ...waiting('CrashLoopBackOff'),
        lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } },
      }),
      /more memory than its limit/,
    ],
    [
      'CreateContainerConfigError',
      pod(waiting('CreateContainerConfigError', 'secret "x" not found')),
      /secret "x" not found.*SecretStore/,
    ],
    ['Restarting', pod({ restartCount: 3 }), /was restarted 3 times/],
    [
      'Unschedulable',
      pod(
        {},
        {
          conditions: [
            {
              type: 'PodScheduled',
              status: 'False',
              reason: 'Unschedulable',
              message: '0/3 nodes are available: 3 Insufficient memory.',
            },
          ],
        },
      ),
      /no node has room.*3 Insufficient memory/,
    ],
    [
      'Evicted',
      pod({}, { phase: 'Failed', reason: 'Evicted', message: 'low on disk' }),
      /was evicted: low on disk/,
    ],
  ])('tells %s in words', (reason, broken, message) => {
    const { problems } = readinessOf(deployment(), [broken]);
    expect(problems).toEqual([
      expect.objectContaining({
        reason,
        message: expect.stringMatching(message),
      }),
    ]);
  });

  it.each([
    [
      'QuotaExceeded',
      'ReplicaFailure',
      'True',
      'FailedCreate',
      'pods "x" is forbidden: exceeded quota: rocket, requested: pods=1',
      /quota of the namespace is used up.*pods=1/,
    ],
    [
      'PodSecurity',
      'ReplicaFailure',
      'True',
      'FailedCreate',
      'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
      /pod security refuses its pods.*runAsNonRoot/,
    ],
    [
      'FailedCreate',
      'ReplicaFailure',
      'True',
      'FailedCreate',
      'serviceaccount "x" not found',
      /cannot be made: serviceaccount "x" not found/,
    ],
    [
      'ProgressDeadlineExceeded',
      'Progressing',
      'False',
      'ProgressDeadlineExceeded',
      'timed out',
      /progressDeadlineSeconds/,
    ],
  ])(
    'tells %s of the Deployment in words',
    (expected, type, status, reason, message, words) => {
      const { problems } = readinessOf(
        deployment({ conditions: [{ type, status, reason, message }] }),
        [],
      );
      expect(problems).toEqual([
        expect.objectContaining({
          reason: expected,
          message: expect.stringMatching(words),
        }),
      ]);
    },
  );

  it('has no problems once it is ready, and does not count pods on their way out', () => {
    const broken = pod(waiting('CrashLoopBackOff'));
    expect(readinessOf(deployment(READY), [broken]).problems).toEqual([]);
    broken.metadata.deletionTimestamp = '2026-11-21T00:00:00Z';
    expect(readinessOf(deployment(), [broken]).problems).toEqual([]);
  });

  it('gives up at once only where waiting does not help', () => {
    const patience = (container: object) =>
      readinessOf(deployment(), [pod(container)]).problems[0].patienceMs;
    expect(patience(waiting('InvalidImageName'))).toBe(0);
    expect(patience(waiting('ErrImagePull'))).toBeGreaterThan(
      patience(waiting('ImagePullBackOff')),
    );
  });
});
