import { containersOf } from '../manifest';
import {
  eachContainer,
  ofKind,
  quantity,
  selects,
  templatesOf,
  type Rule,
} from './rule';

const HOST_FIELDS = ['hostNetwork', 'hostPID', 'hostIPC'];
const VOLUMES = ['emptyDir', 'configMap', 'secret', 'projected', 'downwardAPI'];

/** About what runs: its rights, its size, and how it starts and ends. */
export const podRules: Rule[] = [
  {
    id: 'image-by-digest',
    title: 'Images are named by their digest',
    check: ({ objects }, say) =>
      eachContainer(objects, (object, { name, image }) => {
        if (!/@sha256:[0-9a-f]{64}$/.test(image ?? ''))
          say(object, `container ${name}: ${image} has no digest`);
      }),
  },
  {
    id: 'image-pull-policy',
    title: 'Images are pulled if they are not there',
    check: ({ objects }, say) =>
      eachContainer(objects, (object, { name, imagePullPolicy }) => {
        if (imagePullPolicy !== 'IfNotPresent')
          say(object, `container ${name}: set imagePullPolicy: IfNotPresent`);
      }),
  },
  {
    id: 'run-as-non-root',
    title: 'Processes run as a user of their own, 10000 or higher',
    check({ objects }, say) {
      for (const { object, spec } of templatesOf(objects)) {
        const { runAsNonRoot, runAsUser, fsGroup } = spec.securityContext ?? {};
        if (runAsNonRoot !== true) say(object, 'set runAsNonRoot: true');
        if (!(runAsUser >= 10_000 && fsGroup >= 10_000))
          say(object, 'set runAsUser and fsGroup to 10000 or higher');
      }
      eachContainer(objects, (object, { name, securityContext = {} }) => {
        if (
          securityContext.runAsUser !== undefined ||
          securityContext.runAsNonRoot === false
        )
          say(object, `container ${name}: leave the user to the pod`);
      });
    },
  },
  {
    id: 'seccomp',
    title: 'The seccomp profile is RuntimeDefault',
    check({ objects }, say) {
      for (const { object, spec } of templatesOf(objects))
        if (spec.securityContext?.seccompProfile?.type !== 'RuntimeDefault')
          say(object, 'set securityContext.seccompProfile: RuntimeDefault');
    },
  },
  {
    id: 'no-privilege-escalation',
    title: 'No container can get more rights than it has',
    check: ({ objects }, say) =>
      eachContainer(objects, (object, { name, securityContext = {} }) => {
        if (
          securityContext.allowPrivilegeEscalation !== false ||
          securityContext.privileged
        )
          say(
            object,
            `container ${name}: set allowPrivilegeEscalation: false, and not privileged`,
          );
      }),
  },
  {
    id: 'drop-capabilities',
    title: 'All capabilities are dropped, none is added',
    check: ({ objects }, say) =>
      eachContainer(objects, (object, { name, securityContext = {} }) => {
        const { drop, add } = securityContext.capabilities ?? {};
        if (!drop?.includes('ALL') || add?.length)
          say(object, `container ${name}: set capabilities.drop: [ALL]`);
      }),
  },
  {
    id: 'read-only-root',
    title: 'The root file system is read-only',
    check: ({ objects }, say) =>
      eachContainer(objects, (object, { name, securityContext = {} }) => {
        if (securityContext.readOnlyRootFilesystem !== true)
          say(object, `container ${name}: set readOnlyRootFilesystem: true`);
      }),
  },
  {
    id: 'no-host',
    title: "Nothing of the node's is used",
    check({ objects }, say) {
      for (const { object, spec } of templatesOf(objects)) {
        for (const field of HOST_FIELDS)
          if (spec[field]) say(object, `${field} must not be set`);
        for (const { name, ...source } of spec.volumes ?? [])
          for (const type of Object.keys(source))
            if (!VOLUMES.includes(type))
              say(object, `volume ${name}: ${type} is not allowed`);
      }
      eachContainer(objects, (object, { name, ports = [] }) => {
        if (ports.some((port: any) => port.hostPort))
          say(object, `container ${name}: hostPort must not be set`);
      });
    },
  },
  {
    id: 'bounded-scratch',
    title: 'Scratch space is bounded',
    check({ objects }, say) {
      for (const { object, spec } of templatesOf(objects))
        for (const { name, emptyDir } of spec.volumes ?? [])
          if (emptyDir && !(quantity(emptyDir.sizeLimit) > 0))
            say(object, `volume ${name}: set emptyDir.sizeLimit`);
    },
  },
  {
    id: 'own-account',
    title: 'An identity of its own, without a token',
    check({ objects }, say) {
      for (const { object, spec } of templatesOf(objects)) {
        const account = ofKind(objects, 'ServiceAccount').find(
          ({ metadata }) => metadata.name === spec.serviceAccountName,
        );
        if (!account || account.metadata.name === 'default')
          say(object, 'set serviceAccountName to a ServiceAccount of its own');
        else if (account.automountServiceAccountToken !== false)
          say(account, 'set automountServiceAccountToken: false');
        if (spec.automountServiceAccountToken !== false)
          say(object, 'set automountServiceAccountToken: false');
      }
    },
  },
  {
    id: 'no-service-links',
    title: 'Addresses of other services do not become variables',
    check({ objects }, say) {
      for (const { object, spec } of templatesOf(objects))
        if (spec.enableServiceLinks !== false)
          say(object, 'set enableServiceLinks: false');
    },
  },
  {
    id: 'resources-requested',
    title: 'CPU, memory and scratch space are asked for',
    check: ({ objects }, say) =>
      eachContainer(objects, (object, { name, resources = {} }) => {
        for (const what of ['cpu', 'memory', 'ephemeral-storage'])
          if (!(quantity(resources.requests?.[what]) > 0))
            say(object, `container ${name}: set resources.requests.${what}`);
      }),
  },
  {
    id: 'memory-limit',
    title: 'The limit of memory is what was asked for',
    check: ({ objects }, say) =>
      eachContainer(objects, (object, { name, resources = {} }) => {
        if (
          quantity(resources.limits?.memory) !==
          quantity(resources.requests?.memory)
        )
          say(
            object,
            `container ${name}: set limits.memory to requests.memory`,
          );
      }),
  },
  {
    id: 'no-cpu-limit',
    title: 'No limit of CPU, which would show as latency',
    check: ({ objects }, say) =>
      eachContainer(objects, (object, { name, resources = {} }) => {
        if (resources.limits?.cpu !== undefined)
          say(object, `container ${name}: remove limits.cpu`);
      }),
  },
  {
    id: 'probes',
    title: 'Start, readiness and liveness are asked for',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'Deployment', 'StatefulSet'))
        for (const container of object.spec.template.spec.containers ?? [])
          for (const probe of [
            'startupProbe',
            'readinessProbe',
            'livenessProbe',
          ])
            if (!container[probe])
              say(object, `container ${container.name}: add a ${probe}`);
    },
  },
  {
    id: 'liveness-alone',
    title: 'Liveness asks something else than readiness',
    check: ({ objects }, say) =>
      eachContainer(objects, (object, container) => {
        const { livenessProbe, readinessProbe, name } = container;
        const live = livenessProbe?.httpGet?.path;
        if (live && live === readinessProbe?.httpGet?.path)
          say(
            object,
            `container ${name}: ${live} tells of the database too; a restart would not bring it back`,
          );
      }),
  },
  {
    id: 'probe-ports',
    title: 'Probes ask a port that the container has',
    check: ({ objects }, say) =>
      eachContainer(objects, (object, container) => {
        const known = (container.ports ?? []).flatMap((port: any) => [
          port.name,
          port.containerPort,
        ]);
        for (const field of [
          'startupProbe',
          'readinessProbe',
          'livenessProbe',
        ]) {
          const port = container[field]?.httpGet?.port;
          if (port !== undefined && !known.includes(port))
            say(
              object,
              `container ${container.name}: ${field} asks the port ${port}, which it does not have`,
            );
        }
      }),
  },
  {
    id: 'graceful-end',
    title: 'A pod has the time to end its requests',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'Deployment', 'StatefulSet')) {
        const { spec } = object.spec.template;
        for (const container of spec.containers ?? []) {
          const pause = container.lifecycle?.preStop?.sleep?.seconds;
          if (!(pause > 0)) {
            say(object, `container ${container.name}: add preStop.sleep`);
            continue;
          }
          const drain =
            Number(
              container.env?.find(
                (item: any) => item.name === 'DRAIN_TIMEOUT_MS',
              )?.value ?? 0,
            ) / 1000;
          if (!(spec.terminationGracePeriodSeconds > pause + drain))
            say(
              object,
              `terminationGracePeriodSeconds must be more than ${
                pause + drain
              }`,
            );
        }
      }
    },
  },
  {
    id: 'spread',
    title: 'Instances are spread over zones and machines',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'Deployment', 'StatefulSet')) {
        const { spec, metadata } = object.spec.template;
        for (const key of [
          'topology.kubernetes.io/zone',
          'kubernetes.io/hostname',
        ]) {
          const found = spec.topologySpreadConstraints?.find(
            (item: any) => item.topologyKey === key,
          );
          if (
            !found?.labelSelector ||
            !selects(found.labelSelector, metadata?.labels)
          )
            say(object, `spread its own pods over ${key}`);
        }
      }
    },
  },
  {
    id: 'secrets-by-reference',
    title: 'No secret is written down',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'Secret'))
        say(object, 'use an ExternalSecret; nothing secret belongs into Git');
      for (const { object, pod } of templatesOf(objects))
        for (const { name, env = [] } of containersOf(pod))
          for (const item of env)
            if (
              item.value &&
              (/(PASSWORD|SECRET|TOKEN|LICENSE_KEY|PRIVATE_KEY|DATABASE_URL)$/.test(
                item.name,
              ) ||
                /:\/\/[^/\s:]+:[^@\s]+@/.test(item.value))
            )
              say(object, `container ${name}: read ${item.name} from a Secret`);
    },
  },
];
