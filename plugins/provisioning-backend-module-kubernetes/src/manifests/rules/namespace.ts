import { isNamespaced } from '../kustomize';
import { describe } from '../manifest';
import { ofKind, selects, templatesOf, type Rule } from './rule';

/** About the room that a service runs in, and who may talk to whom. */
export const namespaceRules: Rule[] = [
  {
    id: 'namespace-restricted',
    title: 'The namespace enforces restricted pod security',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'Namespace'))
        for (const mode of ['enforce', 'audit', 'warn'])
          if (
            object.metadata.labels?.[`pod-security.kubernetes.io/${mode}`] !==
            'restricted'
          )
            say(
              object,
              `set the label pod-security.kubernetes.io/${mode}: restricted`,
            );
    },
  },
  {
    id: 'namespace-classified',
    title: 'The namespace says its tier and the class of its data',
    check({ objects, tier }, say) {
      for (const object of ofKind(objects, 'Namespace')) {
        const { labels = {} } = object.metadata;
        if (labels['rocket.internal/tier'] !== tier)
          say(object, `set the label rocket.internal/tier: ${tier}`);
        if (!labels['rocket.internal/data-class'])
          say(object, 'set the label rocket.internal/data-class');
      }
    },
  },
  {
    id: 'namespace-bounded',
    title: 'A quota and limits bound the namespace',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'Namespace'))
        for (const kind of ['ResourceQuota', 'LimitRange'])
          if (!ofKind(objects, kind).length)
            say(object, `there is no ${kind} for it`);
    },
  },
  {
    id: 'default-account-without-token',
    title: 'The default ServiceAccount has no token',
    check({ objects }, say) {
      for (const namespace of ofKind(objects, 'Namespace'))
        if (
          !ofKind(objects, 'ServiceAccount').some(
            object =>
              object.metadata.name === 'default' &&
              object.automountServiceAccountToken === false,
          )
        )
          say(
            namespace,
            'add a ServiceAccount default with automountServiceAccountToken: false',
          );
    },
  },
  {
    id: 'default-deny',
    title: 'Nothing may talk to anything unless a policy allows it',
    check({ objects }, say) {
      for (const namespace of ofKind(objects, 'Namespace'))
        if (
          !ofKind(objects, 'NetworkPolicy').some(
            ({ spec }) =>
              spec.podSelector &&
              Object.keys(spec.podSelector).length === 0 &&
              ['Ingress', 'Egress'].every(type =>
                spec.policyTypes?.includes(type),
              ) &&
              !spec.ingress?.length &&
              !spec.egress?.length,
          )
        )
          say(
            namespace,
            'add a NetworkPolicy with podSelector {} and both policyTypes',
          );
    },
  },
  {
    id: 'network-allowed',
    title: 'A policy of its own allows what each workload needs, DNS at least',
    check({ objects }, say) {
      for (const { object, labels } of templatesOf(objects)) {
        const policies = ofKind(objects, 'NetworkPolicy').filter(
          ({ spec }) =>
            Object.keys(spec.podSelector ?? {}).length > 0 &&
            selects(spec.podSelector, labels),
        );
        const dns = policies.some(({ spec }) =>
          spec.egress?.some((rule: any) =>
            rule.ports?.some(
              ({ port, protocol }: any) => port === 53 && protocol === 'UDP',
            ),
          ),
        );
        if (!policies.length) say(object, 'no NetworkPolicy selects its pods');
        else if (!dns) say(object, 'its NetworkPolicy does not allow DNS');
      }
    },
  },
  {
    id: 'network-narrow',
    title: 'No policy allows everybody, or the whole internet on every port',
    check({ objects }, say) {
      for (const object of ofKind(objects, 'NetworkPolicy')) {
        for (const rule of object.spec.ingress ?? [])
          if (!rule.from?.length)
            say(object, 'an ingress rule without from lets everybody in');
        for (const rule of object.spec.egress ?? []) {
          if (!rule.to?.length || !rule.ports?.length)
            say(object, 'an egress rule without to or ports is too wide');
          for (const { ipBlock } of rule.to ?? [])
            if (
              /\/0$/.test(ipBlock?.cidr ?? '') &&
              !ipBlock.except?.includes('169.254.0.0/16')
            )
              say(
                object,
                `${ipBlock.cidr} must except private networks and 169.254.0.0/16`,
              );
        }
      }
    },
  },
  {
    id: 'one-namespace',
    title: 'Everything is in one namespace',
    check({ objects }, say) {
      const [namespace] = ofKind(objects, 'Namespace');
      for (const object of objects.filter(isNamespaced)) {
        const found = object.metadata.namespace;
        if (!found) say(object, 'has no namespace; set it in the overlay');
        else if (namespace && found !== namespace.metadata.name)
          say(object, `is in ${found}, not in ${describe(namespace)}`);
      }
    },
  },
];
