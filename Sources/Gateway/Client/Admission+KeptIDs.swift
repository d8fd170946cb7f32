import Accounts
import Engines
import Metering

/// An id as the client was given it, and as the engine knows it.
struct OpenedID: Hashable {
    let sealed: String
    let upstream: String
}

/// Ids of what engines keep: opened for the project that they were given to, refused for all others. They decide which
/// engine serves: nobody else knows what they name.
extension Admission {
    func openKeptIDs(of admitted: inout AdmittedRequest) throws(APIError) {
        if admitted.request.isBackground { try keepBackgroundRoutes(of: &admitted) }
        if let id = admitted.request.native?.keptID {
            let place = try opened(id, .prediction, of: admitted) ?? nil
            guard let place else { throw .noSuch(.prediction, id) }
            admitted.request.openPath(as: place.id)
            admitted.openedIDs.append(OpenedID(sealed: id, upstream: place.id))
        }
        for reference in admitted.request.references {
            guard let kind = ObjectSeal.Kind(reference.kind) else { throw .unsealed(reference) }
            guard let place = try opened(reference.id, kind, of: admitted) else { throw .unsealed(reference) }
            admitted.routes.removeAll { $0.backend.name != place.backend }
            admitted.request.open(reference, as: place.id)
            admitted.openedIDs.append(OpenedID(sealed: reference.id, upstream: place.id))
        }
        assert(!admitted.routes.isEmpty, "an opened id leaves the way to the backend that it is of")
    }

    private func opened(
        _ id: String, _ kind: ObjectSeal.Kind, of admitted: AdmittedRequest
    ) throws(APIError) -> ObjectSeal.Place? {
        guard let seal = ObjectSeal(secret: snapshot.sealingSecret) else { throw .sealUnavailable }
        return seal.opened(id, kind, for: admitted.grant.projectID, on: admitted.routes.map(\.backend))
    }

    /// Work that goes on after its answer costs what it comes to later, so it goes only where that can be asked.
    private func keepBackgroundRoutes(of admitted: inout AdmittedRequest) throws(APIError) {
        let request = admitted.request
        guard request.surface == .responses else { throw .backgroundNotAvailable(request.surface) }
        // Its id must be sealed before it is shown, and asked after while it is the only one who knows.
        guard ObjectSeal(secret: snapshot.sealingSecret) != nil else { throw .sealUnavailable }
        guard !request.isStream else { throw .backgroundStream }
        // What the engine does not keep cannot be asked after.
        guard request.isKept else { throw .backgroundNotKept }
        admitted.routes.removeAll { !$0.backend.kind.hasBackgroundResponses }
        guard !admitted.routes.isEmpty else { throw .backgroundNotAvailable(request.surface) }
    }
}

extension ObjectSeal.Kind {
    /// Nil for what the gateway gives nobody an id of.
    init?(_ kind: KeptReference.Kind) {
        switch kind {
        case .file: self = .file
        case .response: self = .response
        case .interaction: self = .interaction
        case .container: self = .container
        case .other: return nil
        }
    }
}

extension APIError {
    /// In OpenAI's words where it has some.
    static func unsealed(_ reference: KeptReference) -> APIError {
        let id = reference.id.prefix(200)
        if reference.kind == .response {
            return APIError(
                status: 400, type: "invalid_request_error", code: "previous_response_not_found",
                message: "Previous response with id '\(id)' not found. Use the id that this gateway answered with.",
                parameter: reference.field)
        }
        return APIError(
            status: 403, type: "permission_error", code: "unknown_object",
            message: "'\(id)' in '\(reference.field)' is not an object that this gateway gave your project an id of. "
                + "Send its content in the request instead.",
            parameter: reference.field)
    }

    static func fieldNotAvailable(_ member: RestrictedMember) -> APIError {
        APIError(
            status: 400, type: "invalid_request_error", code: "field_not_available",
            message: "'\(member.path)' \(member.effect): clients cannot choose that here. Leave it out.",
            parameter: member.path)
    }

    static func backgroundNotAvailable(_ surface: Surface) -> APIError {
        APIError(
            status: 400, type: "invalid_request_error", code: "background_not_available",
            message: "No engine behind this model can be asked later what work in the background came to. Leave "
                + "'\(surface == .chatCompletions ? "deferred" : "background")' out.",
            parameter: surface == .chatCompletions ? "deferred" : "background")
    }

    static let backgroundStream = APIError(
        status: 400, type: "invalid_request_error", code: "background_stream_not_available",
        message: "A response in the background cannot be streamed from its creation here. Create it without 'stream', "
            + "and ask for it with GET /v1/responses/{id}.",
        parameter: "stream")

    static let backgroundNotKept = APIError(
        status: 400, type: "invalid_request_error", code: "background_not_kept",
        message: "A response in the background must be kept until you fetch it. Leave 'store' out, or 'background'.",
        parameter: "store")

    static let sealUnavailable = APIError(
        status: 503, type: "server_error", code: "seal_unavailable",
        message: "This gateway does not know the installation's secret yet, so it cannot tell whose an id is. Try "
            + "again shortly.",
        retryAfterSeconds: 5)
}
