import Accounts
import Engines
import HTTP1
import Identity
import Metering

/// Decides who may ask for what, from the snapshot alone. Pure: no clock, no socket.
struct Admission {
    let snapshot: GatewaySnapshot
    /// The real time: which version of a plan is in force depends on it.
    let now: Timestamp

    /// The grant of the key that a client shows.
    func grant(secret: String?) throws(APIError) -> KeyGrant {
        guard let secret else { throw .missingKey }
        guard let grant = snapshot.keys.grant(forSecretDigest: SHA256Digest(of: secret)) else { throw .invalidKey }
        return grant
    }

    /// What an inference request comes to, once its whole body was read.
    ///
    /// - Parameter backend: whose own dialect the request is in; nil for the forms that all backends share.
    func admit(
        _ request: InferenceRequest, backend: String?, grant: KeyGrant, headers: Headers
    ) throws(APIError) -> AdmittedRequest {
        guard grant.subscriptionID != nil else { throw .noSubscription }
        if let backend { return try admit(request, native: backend, grant: grant, headers: headers) }
        guard let model = snapshot.catalogue.model(named: request.model), model.isAllowed(for: grant.tenantID) else {
            throw .modelNotFound(String(request.model.prefix(200)))
        }
        let routes = try routes(of: model, surface: request.surface, name: request.model)
        return try admit(
            request, model: model, routes: routes, grant: grant, tagsHeader: headers.first(named: TagReader.headerName))
    }

    private func admit(
        _ request: InferenceRequest, native backend: String, grant: KeyGrant, headers: Headers
    ) throws(APIError) -> AdmittedRequest {
        guard let dialect = snapshot.catalogue.backend(named: backend)?.dialect else { throw .engineNotFound(backend) }
        var request = request
        do throws(RequestError) {
            if let tier = try dialect.tier(inHeaders: { headers.all(named: $0) }) { try request.ask(forTier: tier) }
        } catch {
            throw .badRequest(error)
        }
        let name = request.model.isEmpty ? nil : request.model
        // Looking at what was made, or cancelling it, names no model: any that the tenant may use there will do.
        let isLook = name == nil && request.native?.isInference == false
        guard
            let (model, route) = isLook
                ? snapshot.catalogue.models(on: backend).first(where: { $0.0.isAllowed(for: grant.tenantID) })
                : snapshot.catalogue.model(on: backend, named: name),
            model.isAllowed(for: grant.tenantID)
        else { throw .modelNotFound(String((name ?? "").prefix(200))) }
        guard route.backend.outOfService == nil else { throw .outOfService }
        return try admit(
            request, model: model, routes: [route], grant: grant,
            tagsHeader: headers.first(named: TagReader.headerName))
    }

    /// The backend of that name, if it runs a model that the tenant may use.
    func backend(named name: String, for grant: KeyGrant) throws(APIError) -> Backend {
        guard let backend = snapshot.catalogue.backend(named: name),
            snapshot.catalogue.models.contains(where: { model in
                model.isAllowed(for: grant.tenantID) && model.routes.contains { $0.backend.name == name }
            })
        else { throw .engineNotFound(name) }
        return backend
    }

    /// The model's ways in this dialect whose backends are in service.
    private func routes(of model: CatalogueModel, surface: Surface, name: String) throws(APIError) -> [ModelRoute] {
        let routes = model.routes.filter { $0.backend.outOfService == nil && $0.backend.dialect.serves(surface) }
        guard routes.isEmpty else { return routes }
        throw model.routes.contains { $0.backend.dialect.serves(surface) } ? .outOfService : .notServed(name, surface)
    }

    private func admit(
        _ request: InferenceRequest, model: CatalogueModel, routes: [ModelRoute], grant: KeyGrant, tagsHeader: String?
    ) throws(APIError) -> AdmittedRequest {
        guard let subscriptionID = grant.subscriptionID else { throw .noSubscription }
        let tier = OpenAIDialect.tier(named: request.serviceTier)
        var request = request
        let sold = try checkSold(request, model: model, tier: tier, grant: grant)
        request.countsPicturesInTokens = sold.map { !$0.contains(.images) } ?? false
        if let path = request.possiblePath(on: routes.lazy.map(\.backend.kind)) {
            throw .badRequest(.localAddress(path))
        }
        if let member = request.restricted(on: routes.lazy.map(\.backend.kind)) { throw .fieldNotAvailable(member) }
        let read: (tags: [Tag], isWhole: Bool)
        do throws(RequestError) {
            read = try TagReader.tags(header: tagsHeader, body: request.tags)
        } catch {
            throw .badRequest(error)
        }
        var admitted = AdmittedRequest(
            grant: grant, subscriptionID: subscriptionID, model: model, routes: routes, request: request, tier: tier,
            tags: read.tags, notes: notes(of: request, hasAllTags: read.isWhole))
        try openKeptIDs(of: &admitted)
        return admitted
    }
}

extension Admission {
    private func notes(of request: InferenceRequest, hasAllTags: Bool) -> RecordNotes {
        var notes: RecordNotes = hasAllTags && !request.hasMoreTags ? [] : .tagsDropped
        if request.isStream, request.waitsForClient { notes.insert(.clientTime) }
        return notes
    }
}

/// A request that may go to an engine.
struct AdmittedRequest {
    let grant: KeyGrant
    let subscriptionID: SubscriptionID
    let model: CatalogueModel
    /// The ways to serve it that speak its dialect, at least one.
    var routes: [ModelRoute]
    var request: InferenceRequest
    /// The tier of the plan that the client asked for.
    let tier: String
    let tags: [Tag]
    /// What the request names of what engines keep: as the client knows it, and as its engine does.
    var openedIDs: [OpenedID] = []
    /// What the record is to say of the request.
    let notes: RecordNotes
    /// Tells its body from another's; nil unless it has an `Idempotency-Key`.
    var fingerprint: RequestFingerprint?
}

/// Reads and bounds the tags of a request.
enum TagReader {
    static let headerName = "x-tollgate-tags"

    /// The tags of the header `a=b,c=d` and of the body; the header's win where both name one. What a record has no
    /// room for is left out: tags must break no request that is valid without them. `isWhole` says whether all are
    /// there.
    static func tags(header: String?, body: [Tag]) throws(RequestError) -> (tags: [Tag], isWhole: Bool) {
        guard header != nil || !body.isEmpty else { return ([], true) }
        var tags: [Tag] = []
        var isWhole = true
        var names: Set<String> = []
        func take(_ tag: Tag) {
            let fits =
                tags.count < Tag.countMax && (1...Tag.nameBytesMax).contains(tag.name.utf8.count)
                && tag.value.utf8.count <= Tag.valueBytesMax
            if fits { tags.append(tag) } else { isWhole = false }
        }
        for part in (header ?? "").split(separator: ",") {
            ReadingSteps.add(part.utf8.count)
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { throw refusal("must look like 'name=value,name=value'") }
            let tag = Tag(name: trimmed(pair[0]), value: trimmed(pair[1]))
            guard names.insert(tag.name).inserted else { throw refusal("names '\(tag.name.prefix(64))' twice") }
            take(tag)
        }
        for tag in body {
            ReadingSteps.add(tag.name.utf8.count)
            if names.insert(tag.name).inserted { take(tag) }
        }
        return (tags, isWhole)
    }

    private static func refusal(_ problem: String) -> RequestError {
        RequestError(message: "The header \(headerName) \(problem).", parameter: headerName, code: "invalid_tags")
    }

    private static func trimmed(_ text: Substring) -> String {
        guard let first = text.utf8.firstIndex(where: { $0 != 0x20 }),
            let last = text.utf8.lastIndex(where: { $0 != 0x20 })
        else { return "" }
        return String(text[first...last])
    }
}
