/// One line of the list that says what engines' errors mean. A line holds where its systems, its statuses and one of
/// its names or words do; the first that holds decides, and `RefusalRules.meaning(ofStatus:)` where none does.
struct RefusalRule: Sendable {
    let meaning: EngineRefusal.Meaning
    /// Nil for every system.
    var kinds: Set<EngineKind>?
    /// Nil for every status; 0 stands for an error inside an answer that began with 200.
    var statuses: Set<Int>?
    /// Codes, types and exceptions, lowercase, without `_`, `-` and spaces.
    var names: Set<String> = []
    /// What the message begins with, lowercase. Clients cannot write the beginning of an engine's message, so these
    /// may count against a backend.
    var beginnings: [String] = []
    /// What the message contains, lowercase. Only for what counts against nobody.
    var words: [String] = []
    /// What the client must have chosen itself.
    var choices: ClientChoices = []

    func holds(
        _ kind: EngineKind, _ status: Int, names found: [String], message: String, _ chosen: ClientChoices
    ) -> Bool {
        if let kinds, !kinds.contains(kind) { return false }
        if let statuses, !statuses.contains(status) { return false }
        guard chosen.isSuperset(of: choices) else { return false }
        return found.contains { names.contains($0) } || beginnings.contains { message.hasPrefix($0) }
            || words.contains { message.contains($0) }
    }
}

/// What engines' errors mean: by system, status, code and words.
enum RefusalRules {
    /// What an error means; nil where neither a rule nor its status says it. `status` is 0 for an error inside an
    /// answer.
    static func meaning(
        _ kind: EngineKind, status: Int, _ text: EngineErrorText, _ chosen: ClientChoices = []
    ) -> EngineRefusal.Meaning? {
        // Whoever shows what it objected to in the input has no quarrel with our key.
        if text.isFlagged, status == 403 || status == 0 { return .clientMistake }
        let names = [text.code, text.type].compactMap { $0.map(plain) }
        let message = text.message?.lowercased() ?? ""
        if chosen.contains(.length), status == 402, isMoreThanAffordable(message) { return .notServed }
        if let rule = rule(kind, status: status, text, chosen) { return rule.meaning }
        if status == 0, names.contains(where: { namesRequest($0) }) { return .clientMistake }
        return meaning(ofStatus: status, kind)
    }

    /// The first line of the list that holds.
    static func rule(
        _ kind: EngineKind, status: Int, _ text: EngineErrorText, _ chosen: ClientChoices = []
    ) -> RefusalRule? {
        let names = [text.code, text.type].compactMap { $0.map(plain) }
        let message = text.message?.lowercased() ?? ""
        return all.first { $0.holds(kind, status, names: names, message: message, chosen) }
    }

    /// Whether a code that is in no list speaks of the request: of what of it is not valid, or against a policy.
    private static func namesRequest(_ name: String) -> Bool {
        if ["response", "output", "key", "token", "grant", "credential", "auth", "account", "subscription"].contains(
            where: { name.contains($0) })
        {
            return false
        }
        return beginningsOfMistakes.contains { name.hasPrefix($0) } || endsOfMistakes.contains { name.hasSuffix($0) }
            || partsOfMistakes.contains { name.contains($0) }
    }

    private static let beginningsOfMistakes = ["invalid", "unsupported", "grammar"]
    private static let endsOfMistakes = ["policy", "tooshort", "toolong", "toolarge", "toosmall", "usererror"]
    private static let partsOfMistakes = [
        "policyviolation", "guardrail", "safety", "moderation", "sensitive", "inspectionfailed", "inappropriate",
    ]

    /// Whether a message speaks of the form of the request, and not of the model as such.
    static func namesForm(_ message: String, _ kind: EngineKind) -> Bool {
        // To Amazon an endpoint is a place where a model runs.
        if aws.contains(kind), message.lowercased().contains("endpoint") { return false }
        return [" is not a ", "not supported", "does not support", "endpoint", "not allowed to"].contains {
            message.lowercased().contains($0)
        }
    }

    /// OpenRouter: "This request requires more credits, or fewer max_tokens. You requested up to 16384 tokens, but can
    /// only afford 3919." What can still pay for an answer of some length is no empty account.
    private static func isMoreThanAffordable(_ message: String) -> Bool {
        guard message.hasPrefix("this request requires more credits, or fewer max_tokens"),
            let found = message.firstRange(of: "can only afford ")
        else { return false }
        let digits = message[found.upperBound...].prefix { $0.isASCII && $0.isNumber }
        return Int64(digits).map { $0 >= affordableTokensMin } ?? false
    }

    private static let affordableTokensMin: Int64 = 1024

    /// `com.amazon.coral.service#AccessDeniedException` and `access_denied_exception` are one name.
    static func plain(_ name: String) -> String {
        name.lowercased().split(separator: "#").last.map { $0.filter { !"_- ".contains($0) } } ?? ""
    }

    /// What a status means by itself.
    static func meaning(ofStatus status: Int, _ kind: EngineKind) -> EngineRefusal.Meaning? {
        switch status {
        case 401, 403, 407: .unauthorised
        case 402: .upstreamQuota
        // A path or a redirect that the gateway chose, not the client.
        case 300..<400, 404, 405, 501: .notSupported
        case 410: .notFound
        case 408, 504, 522, 524: .timeout
        case 413: .contextTooLong
        case 424: .modelError
        case 429: EngineKind.withQuota.contains(kind) ? .upstreamQuota : .overloaded
        case 498, 503, 529: .overloaded
        case 499: .unavailable
        case 400..<500: .clientMistake
        case 500...: .unavailable
        default: nil
        }
    }

    static let all: [RefusalRule] =
        [tooLargeForQuota] + addresses + [googleAddresses] + LlamaCppRefusals.rules + credentials + money + capacity
        + missing + own
        + engineFailures + mistakes + predictions

    /// Statuses of refused requests, and errors inside answers.
    private static let mistaken: Set<Int> = [0, 400, 413, 422, 424]
    private static let aws: Set<EngineKind> = [.bedrock, .sageMaker]

    /// One request that alone is more than the quota of a minute, which says nothing of what is left of it (OpenAI,
    /// Groq).
    private static let tooLargeForQuota = RefusalRule(
        meaning: .contextTooLong, statuses: [400, 413, 429], beginnings: ["request too large for"])

    /// A server or a picture whose address the client gave, and which the engine could not reach: whatever status the
    /// engine has for that.
    private static let addresses = [
        RefusalRule(
            meaning: .clientMistake,
            names: [
                "externalconnectorerror", "mcperror", "mcpconnectionerror", "mcpservererror", "invalidimageurl",
                "failedtodownloadimage",
            ],
            beginnings: ["error retrieving tool list from mcp server", "mcp connector error"]),
        RefusalRule(
            meaning: .clientMistake, statuses: [0, 400, 404, 408, 415, 422, 424, 500, 502, 504],
            words: [
                "error while downloading", "failed to download", "unable to download", "could not download",
                "failed to fetch", "cannot fetch", "could not fetch", "unable to fetch", "error fetching", "mcp server",
                "cannot connect to host", "could not resolve host", "name or service not known",
                "max retries exceeded with url", "failed to load image", "failed to load media",
                "cannot identify image", "unsupported image url", "image url", "message='not found', url=",
                "message='forbidden', url=",
            ], choices: [.address]),
    ]

    /// What Google says of a video or file whose address the client gave. "Requested entity was not found" is no such
    /// word: so it speaks of a model or a project that the catalogue names.
    private static let googleAddresses = RefusalRule(
        meaning: .clientMistake, kinds: [.gemini, .vertex], statuses: [0, 400, 403, 404],
        words: [
            "youtube", "the video", "this video", "the file", "this file", " uri", "_uri", "fileuri",
            "does not have permission to read",
        ],
        choices: [.address])

    /// Our key, account or place.
    private static let credentials = [
        // Before the rest: a provider's refusal of what the client asked for comes under 403 too.
        RefusalRule(
            meaning: .clientMistake, statuses: [0, 403],
            names: [
                "moderation", "datainspectionfailed", "contentfilter", "contentpolicyviolation", "contentpolicy",
                "refusal",
                "guardrailviolation", "guardrail",
            ],
            beginnings: ["content violates usage guidelines", "request blocked: "],
            words: [
                "failed check: safety_check", "your input was flagged", "blocked by guardrail",
                "your chosen model requires moderation", "content safety", "content management policy",
            ]),
        // Together's 403 is also its word for prompts that are too long.
        RefusalRule(
            meaning: .contextTooLong, kinds: [.together], statuses: [403],
            words: ["context length", "max_new_tokens", "max_tokens"]),
        RefusalRule(
            meaning: .clientMistake, kinds: [.gemini, .vertex], statuses: [403, 404],
            words: ["access the file", "cachedcontent", "cached content"]),
        RefusalRule(
            meaning: .unauthorised,
            names: [
                "authenticationerror", "permissionerror", "invalidapikey", "apikeyinvalid", "apikeyexpired",
                "accessdeniedexception", "accessdenied", "unrecognizedclientexception", "unrecognizedclient",
                "expiredtokenexception", "expiredtoken", "requestexpired", "invalidsignatureexception",
                "incompletesignatureexception", "incompletesignature", "signaturedoesnotmatch",
                "invalidclienttokenid", "missingauthenticationtokenexception", "missingauthenticationtoken",
                "optinrequired", "notauthorized", "unauthorizedexception", "unauthenticated", "unauthorized",
                "permissiondenied", "accesstokenexpired", "servicedisabled", "consumersuspended", "billingdisabled",
                "accountdeactivated", "organizationrestricted", "unsupportedcountryregionterritory",
            ],
            beginnings: [
                "api key not valid", "api key expired", "incorrect api key provided", "invalid api key",
                "this organization has been disabled", "user location is not supported", "authentication fails",
                "the security token included in the request", "your account is not authorized",
                "operation not allowed", "access denied due to invalid subscription key",
            ]),
    ]

    /// Our quota and our balance.
    private static let money = [
        RefusalRule(
            meaning: .upstreamQuota,
            names: [
                "insufficientquota", "insufficientbalance", "insufficientcredits", "billinghardlimitreached",
                "billingerror", "billingnotactive", "paymentrequired", "quotaexceeded",
                "servicequotaexceededexception", "creditlimitexceeded",
            ],
            beginnings: [
                "your credit balance is too low", "insufficient balance", "insufficient credit",
                "you have insufficient credit", "you exceeded your current quota", "credit limit exceeded",
                "billing hard limit has been reached",
            ]),
        RefusalRule(
            meaning: .upstreamQuota, kinds: [.xai], statuses: [403, 429],
            words: ["spending limit", "used all available credits"]),
    ]

    private static let capacity = [
        RefusalRule(
            meaning: .overloaded,
            names: [
                "overloadederror", "overloaded", "engineoverloaded", "engineoverloadederror", "serverisoverloaded",
                "capacityexceeded", "resourceunavailable", "serviceunavailable", "serviceunavailableexception",
                "modelnotreadyexception", "unavailable", "unavailableerror", "slowdown", "queuefull",
            ],
            beginnings: ["model is overloaded", "overloaded", "the model is overloaded", "loading model"]),
        RefusalRule(
            meaning: .upstreamQuota, kinds: EngineKind.withQuota,
            names: [
                "ratelimitexceeded", "ratelimiterror", "resourceexhausted", "throttlingexception", "throttling",
                "toomanyrequestsexception", "toomanyrequests", "modelratelimit", "limitexceededexception",
            ]),
        RefusalRule(
            meaning: .overloaded,
            names: ["ratelimitexceeded", "ratelimiterror", "resourceexhausted", "toomanyrequests"]),
    ]

    /// The model, deployment or endpoint that our catalogue names, and APIs that the backend lacks.
    private static let missing = [
        // What the client named itself: earlier answers, files, batches, stores, containers.
        RefusalRule(
            meaning: .clientMistake, statuses: [400, 404],
            names: ["responsenotfound", "previousresponsenotfound", "filenotfound", "conversationnotfound"],
            words: [
                "previous response", "'resp_", "\"resp_", "id resp_", "'file-", "file-", "'file_", "batch_", "conv_",
                "'vs_", "vector store", "container '", "'cntr_", "guardrail",
            ]),
        RefusalRule(
            meaning: .notFound,
            names: [
                "modelnotfound", "deploymentnotfound", "modelnotavailable", "modeldecommissioned", "modeldeprecated",
                "unknownmodel", "modelnotexist", "resourcenotfoundexception", "invaliddeployment", "endpointnotfound",
            ],
            beginnings: [
                "model not exist", "request for unknown model", "the provided model identifier is invalid",
                "invocation of model id", "could not resolve the foundation model", "unable to access model",
                "the api deployment for this resource does not exist",
            ]),
        RefusalRule(meaning: .notFound, statuses: [400, 404], names: ["invalidmodel"], beginnings: ["invalid model"]),
        RefusalRule(
            meaning: .notFound, statuses: [404],
            beginnings: ["the model ", "model ", "model: ", "models/", "publisher model", "function '"]),
        RefusalRule(
            meaning: .notFound, kinds: [.gemini, .vertex], statuses: [404],
            beginnings: ["requested entity was not found"]),
        RefusalRule(
            meaning: .notFound, kinds: aws, statuses: [400, 404],
            beginnings: ["endpoint ", "could not find endpoint", "could not find variant", "inference component"]),
        RefusalRule(
            meaning: .notFound, kinds: [.replicate], statuses: [404, 422],
            beginnings: ["the specified version does not exist", "invalid version or not permitted"]),
        RefusalRule(
            meaning: .notFound, kinds: [.azure], statuses: [404], names: ["404", "resourcenotfound", "notfound"]),
        RefusalRule(
            meaning: .notSupported,
            names: ["operationnotsupported", "notsupportederror", "unimplemented", "unsupportedapi"]),
    ]

    /// The request, where its words decide what follows.
    private static let own = [
        RefusalRule(
            meaning: .contextTooLong, statuses: mistaken,
            names: [
                "contextlengthexceeded", "exceedcontextsizeerror", "requesttoolarge", "stringabovemaxlength",
                "contextwindowexceeded",
            ],
            words: [
                "maximum context length", "context size", "context window", "context length", "max_model_len",
                "prompt is too long", "input is too long", "input token count", "maximum number of tokens",
                "reduce the length of", "`inputs` tokens + `max_new_tokens`", "`inputs` must have less than",
                "maximum allowed length", "exceeds max_num_tokens", "max_seq_len", "longer than the maximum",
            ])
    ]

    private static let engineFailures = [
        RefusalRule(
            meaning: .modelError,
            names: [
                "generation", "incompletegeneration", "incompletegenerationstream", "modelerrorexception",
                "modelstreamerrorexception", "modelerror", "generationerror",
            ]),
        RefusalRule(
            meaning: .timeout,
            names: [
                "modeltimeoutexception", "timeouterror", "deadlineexceeded", "modelinvocationtimeexceeded",
                "requesttimeout",
            ]),
        // With a status, that says more.
        RefusalRule(
            meaning: .unavailable, statuses: [0],
            names: [
                "servererror", "apierror", "internal", "internalserverexception", "internalservererror",
                "internalfailure", "streambroken", "internalstreamfailure", "internaldependencyexception",
            ]),
    ]

    /// What a prediction's own code says of its input, and what the platform says of itself.
    private static let predictions = [
        RefusalRule(
            meaning: .clientMistake, kinds: [.replicate], statuses: [0],
            words: [
                "nsfw", "flagged as sensitive", "(e005)", "(e006)", "content policy", "safety", "moderation",
                "failed to download", "could not download", "error downloading", "unable to download",
                "cannot identify image", "invalid input", "input validation",
            ]),
        RefusalRule(
            meaning: .modelError, kinds: [.replicate], statuses: [0],
            beginnings: [
                "prediction interrupted", "prediction failed for an unknown reason", "director:", "model setup failed",
                "health check failed", "internal error", "service is temporarily unavailable",
            ]),
    ]

    private static let mistakes = [
        RefusalRule(
            meaning: .clientMistake, statuses: mistaken,
            names: [
                "invalidrequesterror", "validationexception", "validation", "validationerror", "badrequesterror",
                "badrequest", "invalidargument", "contentfilter", "contentpolicyviolation",
                "unprocessableentityerror", "invalidprompt", "moderation", "unsupportedparameter",
                // Of a response's pictures.
                "invalidimage", "invalidimageformat", "invalidimageurl", "invalidimagemode", "invalidbase64image",
                "imagetoolarge", "imagetoosmall", "imageparseerror", "imagecontentpolicyviolation",
                "imagefiletoolarge", "imagefilenotfound", "unsupportedimagemediatype", "emptyimagefile",
                "failedtodownloadimage",
                // Zhipu's word for what its filter stopped.
                "1301", "maxtokensexceeded",
            ])
    ]
}

extension EngineKind {
    /// Systems that are somebody else's, with an account and a quota of ours. The others run for us alone: when they
    /// say "too many requests", it is work that is too much.
    static let withQuota: Set<EngineKind> = [
        .openAICompatible, .openAI, .anthropic, .groq, .sambaNova, .sageMaker, .bedrock, .vertex, .gemini, .azure,
        .together, .replicate, .deepSeek, .xai, .cerebras, .openRouter,
    ]
}
