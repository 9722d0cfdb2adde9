import type { SchedulerServiceTaskScheduleDefinitionConfig } from '@backstage/backend-plugin-api';
import type { HumanDuration } from '@backstage/types';

export interface Config {
  /** What pipelines may push into the catalog. */
  ciRegistry?: {
    /**
     * Kinds of entities that may be pushed. Location is not possible, because the
     * catalog would fetch whatever address it names.
     * Default: Component, API, Resource, System.
     */
    allowedKinds?: string[];
    /** Entities in one request. Default: 500. */
    maxEntities?: number;
    /** Size of one request in bytes; API definitions are part of it. Default: 5242880 (5 MiB). */
    maxBodyBytes?: number;
    /**
     * Namespaces whose entities may not be pushed. Default: backstage, rocket.
     */
    reservedNamespaces?: string[];
    /**
     * Annotations that pushed entities must have. Default: none.
     */
    requiredAnnotations?: {
      /** Its key, for example rocket.internal/critical-path. */
      annotation: string;
      /** Kinds of entities that must have it. Default: Component. */
      kinds?: string[];
      /** Values of spec.type that must have it. Default: every one. */
      types?: string[];
      /** error refuses the push; warning tells the pusher. Default: error. */
      severity?: 'error' | 'warning';
    }[];
    /**
     * How bad it is when an entity names what does not exist: error refuses the push,
     * warning tells the pusher, off does not look.
     */
    checks?: {
      /** spec.owner. Default: warning. */
      owner?: 'error' | 'warning' | 'off';
      /** What else it names: system, dependsOn, providesApis and so on. Default: warning. */
      relations?: 'error' | 'warning' | 'off';
      /** The path and step that the annotations name. Default: error. */
      criticalPath?: 'error' | 'warning' | 'off';
    };
    /** Pushes a minute of one caller for one repository, on each backend. Default: 120. */
    pushesPerMinute?: number;
    /**
     * How long an entity that its repository gave up stays in the catalog, marked with
     * rocket.internal/gone-at. Default: 24 hours.
     */
    goneGraceTime?: HumanDuration | string;
    /**
     * How many days the changes of entities are kept, and entities that were removed.
     * The newest change of an entity stays. Default: 365.
     */
    historyRetentionDays?: number;
    /** Builds and deployments. */
    delivery?: {
      /**
       * Environments that serve users: their deployments are marked on the critical paths.
       * Default: production, local (the runtime of this portal).
       */
      liveEnvironments?: string[];
      /**
       * A build whose pipeline has not said how it ended is shown as unfinished when nothing was heard of it for so long: it failed
       * after its last report, or was stopped. Longer than any job runs. Default: 6 hours.
       */
      buildTimeout?: HumanDuration | string;
      /** How long builds and deployments are kept; what runs is kept longer. Default: 400 days. */
      retention?: HumanDuration | string;
    };
    /** DORA metrics (DevOps Research and Assessment). */
    dora?: {
      /** The environment that they are about, unless another one is asked for. Default: production. */
      environment?: string;
      /** Goal for the time from a commit to its deployment. Default: 45 minutes. */
      leadTimeGoal?: HumanDuration | string;
    };
    /** Whether what is registered is still true. */
    freshness?: {
      /** When it is looked at. Default: every 2 minutes. */
      schedule?: SchedulerServiceTaskScheduleDefinitionConfig;
      /** An entity whose last push is longer ago is stale. Default: 30 days. */
      maxAge?: HumanDuration | string;
      /** A component that gave no sign of life for so long does not run. Default: 1 day. */
      notRunningAfter?: HumanDuration | string;
      /** What runs is unregistered when no component had its name for so long. Default: 15 minutes. */
      unregisteredAfter?: HumanDuration | string;
      /** Entity refs of those who hear of what has no owner. Default: nobody. */
      recipients?: string[];
    };
    /** API documents that pipelines push. */
    documents?: {
      /** Size of one definition in bytes. Default: 1048576 (1 MiB); maxBodyBytes is the limit of the whole push. */
      maxBytes?: number;
      /** Versions of one document that are kept. Default: 100. */
      versions?: number;
      /** Seconds that the comparison of two versions may take; after that the version says that it was not compared. Default: 10. */
      compareSeconds?: number;
    };
    /**
     * Who may push beside Backstage's own users and services. Without it nobody: a push needs the
     * permission ci-registry.entity.register.
     */
    identity?: {
      /**
       * What pipelines must ask a token for (its claim aud), for example the address of this portal. An issuer
       * may have its own. GitHub's default, the address of the owner, is not meant for us: choose another.
       */
      audience?: string | string[];
      /** How much the clocks of issuers may differ from ours; at most 5 minutes. Default: 30 seconds. */
      clockSkew?: HumanDuration | string;
      /** Issuers of OIDC tokens. */
      issuers?: {
        /** For rules and messages; unique, also among static tokens. */
        name: string;
        /** github for Actions, gitlab for its id_tokens, oidc for any other. */
        type: 'github' | 'gitlab' | 'oidc';
        /**
         * Where the repositories are, for github and gitlab, for example https://ghe.example.com.
         * Default: https://github.com, https://gitlab.com.
         */
        host?: string;
        /**
         * The claim iss, exactly. Default: that of github.com, HOST/_services/token for other GitHub hosts, HOST for GitLab.
         */
        issuer?: string;
        /** Where its keys are. Needed for oidc: the jwks_uri of its .well-known/openid-configuration. */
        jwksUrl?: string;
        /** Instead of the audience above. */
        audience?: string | string[];
        /**
         * Of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA.
         * Default: RS256; for oidc RS256 and ES256.
         */
        algorithms?: string[];
        /** Since a token was issued (iat). At most a day. Default: 15 minutes for github, else an hour. */
        maxTokenAge?: HumanDuration | string;
        /** Names of the claims, for oidc. */
        claims?: {
          /** The URL of the repository, with claims in braces: https://git.example.com/{project_path}. */
          repository: string;
          /** An id that no other repository ever gets. */
          repositoryId?: string;
          /** refs/heads/… or refs/tags/…; or else branch and tag. */
          ref?: string;
          branch?: string;
          tag?: string;
          /** The full commit id. */
          commit?: string;
          environment?: string;
          /** true or false. */
          protectedRef?: string;
          /** Ids of the pipeline run and of the job in it. */
          run?: string;
          job?: string;
          /** What set the run off. */
          event?: string;
        };
        /** Claims, and patterns of values, of runs that may be of foreign code: they may not push. */
        refuse?: {
          [claim: string]: string | number | boolean | (string | number)[];
        };
      }[];
      /** Secrets of CI systems without OIDC tokens. */
      staticTokens?: {
        /** For rules and messages; unique, also among issuers. */
        name: string;
        /** SHA-256 of the token, hexadecimal: printf %s "$TOKEN" | sha256sum. Or else secret. */
        sha256?: string;
        /**
         * The token itself, at least 32 random characters.
         * @visibility secret
         */
        secret?: string;
        /** From this day on it is refused, ISO 8601. */
        expires: string;
        /** Patterns of the repositories it may push for. */
        repositories: string | string[];
      }[];
      /**
       * What tokens may push. One rule must allow all of a push. In patterns * stands for any characters but /,
       * ** for any characters, ? for one character but /, {claim} for the value of a claim.
       */
      rules?: {
        /** For messages. */
        name: string;
        /** Names of issuers and static tokens. */
        from: string | string[];
        /** Claims that the token must have, by patterns. Ids are safer than names, which can be taken over. */
        claims?: {
          [claim: string]: string | number | boolean | (string | number)[];
        };
        /** Patterns of repositories. Default: all. */
        repositories?: string | string[];
        /**
         * GitHub's event_name, GitLab's pipeline_source. Pull requests are not possible. Default: push, workflow_dispatch,
         * repository_dispatch, schedule, release, merge_group and deployment; push, web, api, schedule, trigger, pipeline and
         * parent_pipeline.
         */
        events?: string[];
        /** Patterns of the catalog's namespaces for everything that a push names. */
        namespaces: string | string[];
        /** Patterns of spec.owner as a full entity ref, for example group:default/*. Default: all. */
        owners?: string | string[];
        /** Kinds of entities. Default: all that ciRegistry.allowedKinds has. */
        kinds?: string[];
        /**
         * Where deployments may be reported. Default: nowhere. A token that names an environment may only report that one.
         */
        environments?: {
          /** Pattern. */
          name: string;
          /** Patterns of branches and tags that the token must be for. Default: any. */
          branches?: string | string[];
          tags?: string | string[];
          /** The token must say that the branch or tag is protected. Default: false. */
          protected?: boolean;
          /** The token must name the environment. Default: false. */
          claimed?: boolean;
        }[];
        /**
         * Builds, deployments and documents also of components that no repository has registered. Default: false.
         */
        unregisteredComponents?: boolean;
      }[];
      /** How the keys of issuers are read. */
      keys?: {
        /** For one attempt of two. Default: 5 seconds. */
        timeout?: HumanDuration | string;
        /** How long keys are used when they cannot be read again. Default: an hour. */
        maxAge?: HumanDuration | string;
        /** An issuer is asked for an unknown key at most once in this time. Default: 30 seconds. */
        cooldown?: HumanDuration | string;
      };
      /** Who was let in and who was not: GET /decisions. */
      decisions?: {
        /** Default: 400 days. */
        retention?: HumanDuration | string;
        /** Rows of callers whom nobody knows; the oldest go first. Default: 100000. */
        maxUnknown?: number;
      };
    };
  };
}
