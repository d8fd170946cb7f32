/// How a thing is shown: each member once, with its schema and its value, so that answers and document cannot differ.
struct Shape<Subject: Sendable>: Sendable {
    let name: String
    let description: String
    let fields: [Field]

    struct Field: Sendable {
        let name: String
        let schema: Schema
        let value: @Sendable (Subject) -> JSONValue

        init(_ name: String, _ schema: Schema, _ value: @escaping @Sendable (Subject) -> JSONValue) {
            self.name = name
            self.schema = schema
            self.value = value
        }
    }

    init(_ name: String, _ description: String, _ fields: [Field]) {
        self.name = name
        self.description = description
        self.fields = fields
    }

    /// A component of the document.
    var schema: Schema {
        .object(fields.map { Schema.Property(name: $0.name, schema: $0.schema) }, named: name, description)
    }

    func json(_ subject: Subject) -> JSONValue {
        .object(fields.map { JSONValue.Member(name: $0.name, value: $0.value(subject)) })
    }

    /// The schema of a page of these.
    var pageSchema: Schema {
        .object(
            [
                .required("data", .list(schema)),
                .required("has_more", .boolean("Whether another page follows.")),
                .required("next", .text("What to send as `after` for the next page; null on the last.").nullable),
            ], named: name + "Page", "A page, in the order of creation.")
    }

    /// A list that is always whole.
    var listSchema: Schema {
        .object([.required("data", .list(schema))], named: name + "List")
    }
}
