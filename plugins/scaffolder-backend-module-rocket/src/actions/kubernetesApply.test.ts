import { symlinkSync } from 'node:fs';
import { createMockDirectory } from '@backstage/backend-test-utils';
import { createContext } from '../__testUtils__/context';
import { mockProvisioning, withLedger } from '../__testUtils__/provisioning';
import { createKubernetesApplyAction } from './kubernetesApply';

const INPUT = {
  name: 'wallets',
  entityRef: 'component:default/wallets',
  owner: 'group:default/payments',
  environment: 'staging',
  tier: 'staging',
  cluster: 'staging-1',
  namespace: 'wallets-staging',
  createNamespace: true,
  externalSecrets: true,
  commit: 'a'.repeat(40),
  image: `registry.example.com/wallets@sha256:${'0'.repeat(64)}`,
  path: 'deploy/kubernetes',
};

describe('rocket:kubernetes:apply', () => {
  const workspace = createMockDirectory();

  beforeEach(() => {
    workspace.setContent({
      'deploy/kubernetes/base/kustomization.yaml': 'resources: []',
      'deploy/kubernetes/README.md': 'not a manifest',
      'src/other.yaml': 'elsewhere',
    });
  });

  function setup(input: object = {}, isDryRun = false) {
    const provisioning = mockProvisioning();
    const made = createContext({
      input: { ...INPUT, ...input },
      workspacePath: workspace.path,
    });
    const action = createKubernetesApplyAction({ provisioning });
    return {
      ...made,
      provisioning,
      run: () =>
        action.handler({ ...(made.context as object), isDryRun } as never),
    };
  }

  it('makes the namespace, then what runs in it, as effects of the task', async () => {
    const { provisioning, run, outputs } = setup();
    const ledger = withLedger(provisioning, ({ type }) =>
      type === 'kubernetes.workload' ? { url: 'http://wallets' } : {},
    );
    await run();
    expect(ledger.log).toEqual([
      'kubernetes.namespace staging-1/wallets-staging made',
      'kubernetes.workload staging-1/wallets-staging/wallets made',
    ]);
    const [namespace, workload] = [...ledger.effects.values()];
    expect(namespace).toMatchObject({
      subject: INPUT.entityRef,
      owner: INPUT.owner,
      environment: 'staging',
      intent: {
        cluster: 'staging-1',
        namespace: 'wallets-staging',
        tier: 'staging',
      },
    });
    expect(workload.intent).toEqual({
      cluster: 'staging-1',
      namespace: 'wallets-staging',
      tier: 'staging',
      environment: 'staging',
      service: 'wallets',
      commit: INPUT.commit,
      image: INPUT.image,
      createNamespace: false,
      externalSecrets: true,
      files: { 'base/kustomization.yaml': 'resources: []' },
    });
    expect(outputs).toEqual({ url: 'http://wallets' });
  });

  it("leaves a namespace alone that is somebody else's", async () => {
    const { provisioning, run } = setup({ createNamespace: false });
    const ledger = withLedger(provisioning);
    await run();
    expect(ledger.log).toEqual([
      'kubernetes.workload staging-1/wallets-staging/wallets made',
    ]);
  });

  it('asks the API server in a dry run, and changes nothing', async () => {
    const { provisioning, run, lines } = setup({}, true);
    provisioning.preflight.mockResolvedValue({
      passed: true,
      findings: [
        {
          reason: 'dry-run',
          level: 'ok',
          subject: 'wallets',
          message: 'The API server takes the manifests',
        },
      ],
    });
    await run();
    expect(provisioning.requestEffect).not.toHaveBeenCalled();
    expect(
      provisioning.preflight.mock.calls[0][0].effects.map(({ type }) => type),
    ).toEqual(['kubernetes.namespace', 'kubernetes.workload']);
    expect(lines()).toEqual([
      'Dry run: ok: wallets: The API server takes the manifests',
    ]);
    provisioning.preflight.mockResolvedValue({
      passed: false,
      findings: [
        {
          reason: 'manifests-refused',
          level: 'error',
          subject: 'wallets',
          message: 'Service wallets: no such field',
        },
      ],
    });
    await expect(run()).rejects.toThrow(
      'wallets could not be applied: Service wallets: no such field',
    );
  });

  it('says what failed, what exists and what to do', async () => {
    const { provisioning, run } = setup();
    withLedger(provisioning, ({ type }) => {
      if (type === 'kubernetes.workload')
        throw new Error('the image cannot be pulled');
      return {};
    });
    await expect(run()).rejects.toThrow(
      /wallets could not be brought up on staging-1.*the image cannot be pulled.*kubernetes\.namespace staging-1\/wallets-staging.*retry this task/s,
    );
  });

  it('refuses links, folders outside and no manifests', async () => {
    symlinkSync('/etc/passwd', workspace.resolve('deploy/kubernetes/x.yaml'));
    await expect(setup().run()).rejects.toThrow('x.yaml is a link');
    await expect(setup({ path: '../..' }).run()).rejects.toThrow(
      /Relative path is not allowed/,
    );
    await expect(setup({ path: 'none' }).run()).rejects.toThrow(
      'path: there are no manifests in none',
    );
  });
});
